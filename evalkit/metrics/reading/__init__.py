"""Reading the text in a picture and comparing it with what was asked for."""

"""How far raters can be trusted: classes, evidence against single ones, repeats and sides."""

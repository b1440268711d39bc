"""Models of votes and rankings: each turns counts into abilities, and says how every vote pulls on them."""

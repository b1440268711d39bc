-- Every name that stands for a person or a sitting in what is exported.
SELECT rater FROM votes WHERE study = $study AND rater IS NOT NULL
UNION SELECT session FROM votes WHERE study = $study AND session IS NOT NULL
UNION SELECT rater FROM rankings WHERE study = $study AND rater IS NOT NULL;

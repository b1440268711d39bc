SELECT DISTINCT slice, slice_number FROM chosen_votes ORDER BY slice_number

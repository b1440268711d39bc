SELECT list_sort(list(DISTINCT system)) FROM (
    SELECT unnest([left_system, right_system]) AS system FROM votes
    WHERE study = $study AND criterion = $criterion AND ($category IS NULL OR category = $category)
        AND left_system <> right_system
);

"""For learners: data, networks for tables, experiments, diagnosis and recommendation; pages and pictures above them."""

"""The paper's figures and tables: declared grids of jobs, a plot, and what we found beside what it says."""

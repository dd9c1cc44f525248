"""What an answer can be: the nodes of its tree, units, and the verdict. Imports nothing of ours."""

"""What an answer can be: the nodes of its tree, its units, and the verdict on it. Imports the contract only."""

"""How the material comes about that junior and senior learn from: one package a method."""

"""The language server: live truth beside the code of a program file."""

"""The model of loan-appetence."""

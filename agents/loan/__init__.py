"""Loan appetence: a customer and the month's indicators as numbers, the model that scores them, and the database."""

"""What a service is made of: its contract, its call, its errors."""

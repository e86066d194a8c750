"""What changes credentials, opens them and asks hosts about them."""

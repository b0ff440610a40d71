"""What is known of hardware, places, prices and models, each with its source."""

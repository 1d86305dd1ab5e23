"""What is decided for a site: incidents, their life, and the forms in which others read them."""

"""The pure half of every stage: loads nothing but schemas."""

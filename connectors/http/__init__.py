"""How HTTP is spoken with anybody: one bounded exchange, over a transport that goes through the right proxy."""

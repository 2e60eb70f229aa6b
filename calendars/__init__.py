"""Business time: calendars, holidays, make-up workdays."""

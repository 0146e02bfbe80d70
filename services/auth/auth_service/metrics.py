"""Every metric of this service besides those of its HTTP frame. Never an account or an address as a label."""

from aro.runtime.metrics import counter

logins = counter("auth_logins_total", "Logins; result is ok or refused", ["result"])
registrations = counter("auth_registrations_total", "Registrations; result is ok or conflict", ["result"])
throttled = counter("auth_throttled_total", "Requests refused by a throttle", ["route"])

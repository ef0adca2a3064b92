"""Which hosts are reached without a proxy: this machine, and those that `network.no_proxy` names. Pure."""

from __future__ import annotations

import ipaddress


def is_loopback(host: str) -> bool:
    """Say whether a host is this machine."""
    host = host.lower().removesuffix(".")
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def is_excepted(host: str, no_proxy: tuple[str, ...]) -> bool:
    """Say whether a host is one that is reached directly: by its name, a domain above it, or a network."""
    for entry in no_proxy:
        name = entry.strip().lstrip(".").lower()
        if name == "*" or host.lower() == name or host.lower().endswith(f".{name}"):
            return True
        try:
            if ipaddress.ip_address(host) in ipaddress.ip_network(name, strict=False):
                return True
        except ValueError:
            continue
    return False

"""Networks: which addresses count as one client."""

import ipaddress

IPV6_NETWORK = 64
"""Bits of an IPv6 address that name a network; a guest can choose the rest."""


def network_of(address: str) -> str:
    """What all addresses that one guest can choose have in common: an IPv4 address, or an IPv6 network; else ""."""
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return ""
    if isinstance(ip, ipaddress.IPv4Address):
        return str(ip)
    if ip.ipv4_mapped is not None:
        return str(ip.ipv4_mapped)
    return str(ipaddress.ip_network((ip, IPV6_NETWORK), strict=False))

"""What travels on the topics: frozen records, one module for each path."""

from schemas.records.audit import AuditEntry, AuditHead, AuditRecord
from schemas.records.guests import GuestMessage, GuestThrottled, RoutingResult
from schemas.records.interactions import CampaignHour, InteractionCompleted, Summary

__all__ = [
    "AuditEntry",
    "AuditHead",
    "AuditRecord",
    "CampaignHour",
    "GuestMessage",
    "GuestThrottled",
    "InteractionCompleted",
    "RoutingResult",
    "Summary",
]

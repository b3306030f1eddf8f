"""What travels on the topics: frozen records, one module for each path."""

from schemas.records.alerts import AlertRecord
from schemas.records.analytics import INTERACTION, LONGEST_QUEUE, AnalyticsEvent, AnalyticsMetrics
from schemas.records.audit import AuditEntry, AuditHead, AuditRecord
from schemas.records.dashboards import DashboardApplied, DashboardCommand
from schemas.records.event_time import EventTimeProgress
from schemas.records.guests import GuestMessage, GuestThrottled, RoutingResult
from schemas.records.interactions import LONGEST_CAMPAIGN, CampaignHour, InteractionCompleted, Summary
from schemas.records.minutes import MetricSnapshot, MinutePartial, MinutePartials
from schemas.records.scoring import InteractionScore
from schemas.records.webhooks import CXoneInteraction, DashboardChange

__all__ = [
    "INTERACTION",
    "LONGEST_CAMPAIGN",
    "LONGEST_QUEUE",
    "AlertRecord",
    "AnalyticsEvent",
    "AnalyticsMetrics",
    "AuditEntry",
    "AuditHead",
    "AuditRecord",
    "CXoneInteraction",
    "CampaignHour",
    "DashboardApplied",
    "DashboardChange",
    "DashboardCommand",
    "EventTimeProgress",
    "GuestMessage",
    "GuestThrottled",
    "InteractionCompleted",
    "InteractionScore",
    "MetricSnapshot",
    "MinutePartial",
    "MinutePartials",
    "RoutingResult",
    "Summary",
]

"""All tables, one module per group of nouns."""

from store.models.base import Base, Json, Key, UtcDateTime
from store.models.brands import ALL_BRANDS, Brand, SearchQuery, Source, SourceRun
from store.models.crisis import (
    Detection,
    DetectorState,
    Incident,
    IncidentEvent,
    IncidentMention,
    Rule,
)
from store.models.delivery import Notification, NotificationDelivery, NotificationTarget
from store.models.figures import Rollup, RollupAuthor, RollupHorizon, Watermark
from store.models.jobs import Job, Lease
from store.models.mentions import (
    Author,
    Conversation,
    Mention,
    MentionBrand,
    MentionEdit,
    MentionVector,
)
from store.models.people import AuditEvent, SetupToken, User, UserBrand, UserSession
from store.models.tickets import (
    Article,
    BusinessCalendar,
    CannedResponse,
    Customer,
    NumberSeries,
    Reply,
    SlaClock,
    SlaPolicy,
    Ticket,
    TicketConversation,
    TicketEvent,
)
from store.models.understanding import Assessment, Override

__all__ = [
    "ALL_BRANDS",
    "Article",
    "Assessment",
    "AuditEvent",
    "Author",
    "Base",
    "Brand",
    "BusinessCalendar",
    "CannedResponse",
    "Conversation",
    "Customer",
    "Detection",
    "DetectorState",
    "Incident",
    "IncidentEvent",
    "IncidentMention",
    "Job",
    "Json",
    "Key",
    "Lease",
    "Mention",
    "MentionBrand",
    "MentionEdit",
    "MentionVector",
    "Notification",
    "NotificationDelivery",
    "NotificationTarget",
    "NumberSeries",
    "Override",
    "Reply",
    "Rollup",
    "RollupAuthor",
    "RollupHorizon",
    "Rule",
    "SearchQuery",
    "SetupToken",
    "SlaClock",
    "SlaPolicy",
    "Source",
    "SourceRun",
    "Ticket",
    "TicketConversation",
    "TicketEvent",
    "User",
    "UserBrand",
    "UserSession",
    "UtcDateTime",
    "Watermark",
]

"""The data model of a simulated workspace: types, columns, relations, tags, and the words to fill them with.

Fact sheets are tuples in the order of `fact_sheet_keys`; the first columns are the same for every type, so that their
places are constants here.
"""

from __future__ import annotations

from functools import cache

FACT_SHEET_SHARES: dict[str, float] = {
    "Application": 0.30,
    "BusinessCapability": 0.10,
    "ITComponent": 0.22,
    "UserGroup": 0.06,
    "Project": 0.08,
    "Provider": 0.04,
    "DataObject": 0.08,
    "Interface": 0.08,
    "Process": 0.04,
}
FACT_SHEET_TYPES = tuple(FACT_SHEET_SHARES)
HIERARCHICAL = "BusinessCapability"

LIFECYCLE = ("lifecycle:plan", "lifecycle:phaseIn", "lifecycle:active", "lifecycle:phaseOut", "lifecycle:endOfLife")
TAG_GROUPS: dict[str, tuple[str, ...]] = {
    "Region": ("EMEA", "APAC", "Americas", "Global"),
    "Domain": ("Finance", "Sales", "Logistics", "Production", "Human Resources"),
    "Cloud Readiness": ("Ready", "Needs work", "Not planned"),
}
SINGLE_TAG_GROUP = "Cloud Readiness"
LOOSE_TAGS = ("GDPR", "Review 2027", "Carve-out")
OTHER_TAGS = "Other tags"
SUBSCRIPTIONS = ("subscriptions:RESPONSIBLE", "subscriptions:OBSERVER", "subscriptions:ACCOUNTABLE:Business Owner")

COMMON_KEYS: tuple[str, ...] = (
    "id",
    "type",
    "name",
    "displayName",
    "status",
    "description",
    "category",
    "completion",
    "qualitySeal",
    "lxState",
    "createdAt",
    "updatedAt",
    "naFields",
    "level",
    "childLevel",
    "permittedReadACL",
    "permittedWriteACL",
    "externalId",
    "alias",
    *LIFECYCLE,
    *(f"tags:{group}" for group in TAG_GROUPS),
    f"tags:{OTHER_TAGS}",
    *SUBSCRIPTIONS,
)
CUSTOM_KEYS: dict[str, tuple[str, ...]] = {
    "Application": ("businessCriticality", "functionalSuitability", "technicalSuitability"),
    "BusinessCapability": ("businessValue",),
    "ITComponent": ("technicalSuitability", "release"),
    "Project": ("projectStatus", "budgetOpEx"),
    "DataObject": ("dataClassification",),
    "Interface": ("dataFlowDirection", "frequency"),
}
CUSTOM_VALUES: dict[str, tuple[str, ...]] = {
    "businessCriticality": ("administrativeService", "businessOperational", "businessCritical", "missionCritical"),
    "functionalSuitability": ("unreasonable", "insufficient", "appropriate", "perfect"),
    "technicalSuitability": ("inappropriate", "unreasonable", "adequate", "fullyAppropriate"),
    "businessValue": ("low", "medium", "high"),
    "release": ("1.0", "2.3", "2024.1", "11g"),
    "projectStatus": ("green", "yellow", "red"),
    "budgetOpEx": ("10000", "250000", "1200000"),
    "dataClassification": ("public", "sensitive", "restricted", "confidential"),
    "dataFlowDirection": ("inbound", "outbound", "bidirectional"),
    "frequency": ("realtime", "daily", "weekly"),
}
FILLER_VALUES = ("yes", "no", "partly", "unknown")

RELATION_KEYS = (
    "id",
    "type",
    "fromRelatedFactSheetDisplayName",
    "fromRelatedFactSheetType",
    "toRelatedFactSheetDisplayName",
    "toRelatedFactSheetType",
    "status",
    "activeFrom",
    "activeUntil",
    "naFields",
    "description",
)
CHILD_PARENT = "childParentRelation"
# type: (from, to, how many there are for each fact sheet it comes from). The third name is longer than a sheet's may be.
RELATION_TYPES: dict[str, tuple[str, str, float]] = {
    CHILD_PARENT: (HIERARCHICAL, HIERARCHICAL, 0.0),  # made together with the child
    "applicationITComponentRelation": ("Application", "ITComponent", 1.0),
    "applicationBusinessCapabilitySupportRelation": ("Application", "BusinessCapability", 0.6),
    "applicationUserGroupRelation": ("Application", "UserGroup", 0.4),
    "applicationDataObjectRelation": ("Application", "DataObject", 0.3),
    "applicationProcessRelation": ("Application", "Process", 0.2),
    "itComponentProviderRelation": ("ITComponent", "Provider", 0.7),
    "interfaceApplicationRelation": ("Interface", "Application", 1.0),
    "projectApplicationRelation": ("Project", "Application", 0.8),
}

TAG_GROUP_KEYS = ("id", "name", "shortName", "description", "mode", "numberOfTags", "restrictToFactSheetTypes")
TAG_KEYS = ("id", "tagGroupId", "name", "description", "backgroundColor", "status", "factSheetNumber")
DOCUMENT_KEYS = (
    "id",
    "factSheet",
    "name",
    "description",
    "url",
    "createdAt",
    "filename",
    "mediaType",
    "documentType",
    "metadata",
    "refId",
    "type",
)
COMMENT_KEYS = (
    "factSheet",
    "createdAt",
    "message",
    "userEmail",
    "status",
    "replierEmail",
    "replyCreatedAt",
    "replyMessage",
    "type",
)
TYPES_KEYS = ("factSheetType", "fieldName", "values")

MAX_SHEET_NAME = 31

# places in a fact sheet's tuple
TYPE, NAME, DISPLAY_NAME, STATUS, DESCRIPTION = (
    COMMON_KEYS.index(key) for key in ("type", "name", "displayName", "status", "description")
)
COMPLETION, QUALITY_SEAL, UPDATED_AT, LEVEL = (
    COMMON_KEYS.index(key) for key in ("completion", "qualitySeal", "updatedAt", "level")
)
LIFECYCLE_PLACE = COMMON_KEYS.index(LIFECYCLE[0])
TAG_PLACES = {group: COMMON_KEYS.index(f"tags:{group}") for group in (*TAG_GROUPS, OTHER_TAGS)}
SUBSCRIPTION_PLACES = tuple(COMMON_KEYS.index(key) for key in SUBSCRIPTIONS)
CUSTOM_PLACE = len(COMMON_KEYS)
# places in a relation's
REL_TYPE, REL_FROM_NAME, REL_TO_NAME, REL_STATUS = 1, 2, 4, 6


@cache
def fact_sheet_keys(kind: str, columns: int = 0) -> tuple[str, ...]:
    """Field keys of a type's sheet, filled up with custom fields to that many columns."""
    keys = COMMON_KEYS + CUSTOM_KEYS.get(kind, ())
    return keys + tuple(f"customField{number:02d}" for number in range(1, columns - len(keys) + 1))


def custom_values(key: str) -> tuple[str, ...]:
    """What a custom field may hold."""
    return CUSTOM_VALUES.get(key, FILLER_VALUES)


def label(key: str) -> str:
    """The label that LeanIX's user interface would show for a field key."""
    words = "".join(f" {letter}" if letter.isupper() else letter for letter in key.replace(":", ": "))
    return words[:1].upper() + words[1:]


def sheet_name(kind: str) -> str:
    """The name of a type's sheet: a workbook cuts it."""
    return kind[:MAX_SHEET_NAME]

"""What the tabs of the settings share: whose things they are, and how a change is written down."""

from __future__ import annotations

from collections.abc import Mapping

import streamlit as st
from sqlalchemy.orm import Session

from dashboard import actions
from dashboard.desk import Desk
from dashboard.hostile import to_markdown
from dashboard.rights import Right
from store import audit


def sees(desk: Desk, brand_id: int | None) -> bool:
    """Whether something of this brand (None: of all brands) is shown to the reader."""
    return brand_id is None or brand_id in desk.all_brand_ids


def changes(desk: Desk, right: Right, brand_id: int | None) -> bool:
    """Whether the reader may change it. What holds for all brands takes who sees every brand."""
    if not desk.may(right):
        return False
    return desk.person.all_brands if brand_id is None else brand_id in desk.all_brand_ids


def allow(desk: Desk, right: Right, *brand_ids: int | None) -> None:
    """Raise LookupError with a sentence when one of these is not the reader's to change."""
    if not all(changes(desk, right, one) for one in brand_ids):
        raise LookupError(
            desk.t("This holds for brands that you do not see. Ask an administrator who does.")
        )


def brand_name(desk: Desk, brand_id: int | None) -> str:
    """The brand's name, or the words for all of them."""
    brand = desk.brand(brand_id) if brand_id is not None else None
    return brand.name if brand is not None else desk.t("All brands")


def brand_input(desk: Desk, current: int | None, *, new: bool) -> int | None:
    """A select box of the brands something can hold for; None means all."""
    options = [one.id for one in desk.brands if one.realm != "drill"]
    choices: list[int | None] = [*([None] if desk.person.all_brands else []), *options]
    return st.selectbox(
        desk.t("Brand"), choices, format_func=lambda one: to_markdown(brand_name(desk, one)),
        index=choices.index(current) if not new and current in choices else 0,
    )  # fmt: skip


def note(
    desk: Desk,
    session: Session,
    action: str,
    object_type: str,
    object_id: object,
    detail: Mapping[str, object] | None = None,
) -> None:
    """A line of the audit log, in the transaction of the change."""
    audit.record(
        session, at=desk.clock_now(), user_id=desk.person.id, action=action,
        object_type=object_type, object_id=object_id, detail=detail,
    )  # fmt: skip


def save(desk: Desk, right: Right, work: actions.Work, said: str) -> None:
    """Do it and draw the page anew, or say here what went wrong and keep what was typed."""
    if actions.do(desk, right, work, said):
        st.rerun()
    actions.show_said()

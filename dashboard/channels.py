"""What the composer must know of the way out to a platform."""

from __future__ import annotations

from dataclasses import dataclass

from dashboard import state, terms
from dashboard.desk import Desk
from responder.channels.base import ReplyRules
from store.threads import Posted


@dataclass(frozen=True, slots=True)
class WayOut:
    """How a post is answered: through ``channel`` with its ``rules``, or by hand (None)."""

    channel: str | None
    rules: ReplyRules | None


def way_out(post: Posted) -> WayOut:
    """The channel of a post's platform; none where it has none, or the post came without a source.

    Imported posts have no account of ours behind them, so nothing could be sent.
    """
    rules = state.installed().services.reply_rules(post.platform)
    by_hand = bool(post.channel_ref.get("answer_by_hand"))
    if rules is None or not rules.can_reply or by_hand or post.source_id is None:
        return WayOut(None, None)
    return WayOut(post.platform, rules)


def rules_sentence(desk: Desk, post: Posted, way: WayOut) -> str:
    """The channel's rules in a few words, shown below the composer."""
    platform = terms.platform(desk, post.platform)
    if way.channel is None or way.rules is None:
        return desk.t("Answer by hand on {platform}: your text is kept here.", platform=platform)
    if way.rules.public:
        return desk.t("Public reply on {platform}", platform=platform)
    return desk.t("Private reply on {platform}", platform=platform)

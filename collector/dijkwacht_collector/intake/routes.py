"""The paths of agents, and the operators' of orders."""

from __future__ import annotations

from aiohttp import web

from dijkwacht_collector.intake.batches import Intake
from dijkwacht_collector.intake.doorkeeper import Door, Doorkeeper
from dijkwacht_collector.intake.enrolments import Enrolments
from dijkwacht_collector.intake.joins import Joins
from dijkwacht_collector.intake.orders import OrderDesk, Outcomes, PendingOrders
from dijkwacht_collector.intake.pairings import Pairings
from dijkwacht_collector.intake.refusing import refusing
from dijkwacht_collector.intake.selftests import SelfTests
from dijkwacht_collector.intake.uploads import Uploads
from dijkwacht_records import enrolment


def add_routes(app: web.Application, intake: Intake, door: Door, orders: PendingOrders) -> None:
    """Add them to ``app``."""
    desk, keeper = OrderDesk(orders), Doorkeeper(door)
    joins, enrolments = Joins(door, keeper), Enrolments(door, keeper)
    authenticator = door.authenticator
    add = app.router.add_route
    add("POST", "/v1/batches", intake.batches)
    add("POST", "/v1/selftest", refusing(SelfTests(authenticator).see))
    add("POST", "/v1/join", refusing(joins.join))
    add("POST", enrolment.PATH, refusing(enrolments.enrol))
    add("POST", enrolment.RENEWAL_PATH, refusing(enrolments.renew))
    add("GET", enrolment.SELF_PATH, refusing(enrolments.self))
    outcome, upload = Outcomes(orders, authenticator).outcome, Uploads(orders, authenticator).upload
    add("POST", "/v1/orders/{id}/outcome", refusing(outcome))
    add("PUT", "/v1/orders/{id}/upload", refusing(upload))
    pairings = Pairings(orders.sites, authenticator, orders.clock)
    add("PUT", "/v1/pairing", refusing(pairings.put))
    add("GET", "/v1/pairing", refusing(pairings.fetch))
    add("DELETE", "/v1/pairing", refusing(pairings.end))
    add("GET", "/v1/sites/{name}/orders", refusing(desk.listing))
    add("POST", "/v1/sites/{name}/orders", refusing(desk.add))

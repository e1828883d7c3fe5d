"""The agenda of a kind of process: what is due, in which order, whatever is saved and loaded again."""

from datetime import datetime, timedelta

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from commands.processes.kind import AT_ONCE, Closed, Opened
from commands.processes.open_work import Agenda
from event_store.memory.log import MemoryLog
from event_store.progress import OpenWork
from tests.shop.facts import NOON

NAME = "process test"


def agenda(*changes, now=NOON, horizon=timedelta(hours=1)):
    """After these changes, each at the next position."""
    made = Agenda(0)
    made.load([], now + horizon)
    for position, change in enumerate(changes, 1):
        made.note(change, position)
    return made


def test_what_is_due_soon_is_prepared_for_once_in_its_order_and_no_more_than_wanted():
    minute = timedelta(minutes=1)
    made = Agenda(0, is_prepared_for=True)
    made.load([], NOON + timedelta(hours=1))
    for n, minutes in enumerate((3, 1, 2, 9), 1):
        made.note(Opened(str(n), due_at=NOON + minutes * minute), n)
    made.note(Closed("3"), 5)
    made.note(Opened("5"), 6)
    assert due(made) == [("5", 0)]
    ahead = [made.take_ahead(NOON + 5 * minute, 1) for _ in range(3)]
    assert [[work.queue for work in works] for works in ahead] == [["2"], ["1"], []]
    assert not made.is_ahead(NOON + 5 * minute)
    assert made.is_ahead(NOON + 9 * minute)
    assert due(made, NOON + 9 * minute) == [("2", 0), ("1", 0), ("4", 0)], "what is prepared for is due"


def due(made, now=NOON):
    return [(work.queue, work.number) for work in made.take_due(now)]


def test_what_does_not_wait_for_a_moment_is_due_at_once_and_is_given_once():
    made = agenda(Opened("a"), Opened("b"))
    assert due(made) == [("a", 0), ("b", 0)]
    assert due(made) == []


def test_of_one_queue_the_next_is_due_when_the_first_is_closed():
    made = agenda(Opened("a", 1), Opened("a", 2), Opened("a", 3))
    assert due(made) == [("a", 1)]
    made.note(Closed("a", 1), 4)
    assert due(made) == [("a", 2)]
    made.note(Closed("a", 3), 5)
    assert due(made) == []


def test_what_waits_for_its_moment_is_in_nobodys_way():
    made = agenda(Opened("a", 1), Opened("a", 2, NOON + timedelta(minutes=1)), Opened("a", 3))
    assert due(made) == [("a", 1)]
    made.note(Closed("a", 1), 4)
    assert due(made) == [("a", 3)]
    assert due(made, NOON + timedelta(minutes=1)) == [("a", 2)]


def test_a_timer_is_due_at_its_moment_and_not_before():
    made = agenda(Opened("a", due_at=NOON + timedelta(seconds=1)))
    assert (due(made), made.next_due()) == ([], NOON + timedelta(seconds=1))
    assert due(made, NOON + timedelta(seconds=1)) == [("a", 0)]


def test_a_timer_that_is_set_anew_is_due_at_the_new_moment_alone():
    made = agenda(
        Opened("a", due_at=NOON + timedelta(minutes=1)), Opened("a", due_at=NOON + timedelta(minutes=5))
    )
    assert due(made, NOON + timedelta(minutes=4)) == []
    assert due(made, NOON + timedelta(minutes=5)) == [("a", 0)]


def test_a_timer_far_ahead_is_not_held_in_memory_but_saved():
    made = agenda(Opened("a", due_at=NOON + timedelta(days=30)))
    assert (made.open_soon, made.next_due()) == (0, None)
    assert made.take_changes() == ([OpenWork("a", 0, NOON + timedelta(days=30), 1)], [])
    assert made.take_changes() == ([], [])


def test_what_was_closed_before_it_was_due_never_is():
    made = agenda(Opened("a", due_at=NOON + timedelta(minutes=1)), Closed("a"), Closed("never opened"))
    assert due(made, NOON + timedelta(hours=2)) == []
    assert made.take_changes() == ([], [("a", 0), ("never opened", 0)])


QUEUES = st.sampled_from(("a", "b", "c"))
NUMBERS = st.integers(1, 3)
MINUTES = st.one_of(st.none(), st.integers(0, 300))


class AgainstAPlainFold(RuleBasedStateMachine):
    """However it is saved and begun anew, every piece of work comes due, in its turn, until it is closed."""

    @initialize()
    def begin(self):
        self.log = MemoryLog()
        self.now = NOON
        self.position = 0
        self.open: dict[tuple[str, int], tuple[datetime, int]] = {}
        self.history = []
        self.saved = None
        self._begin_anew()

    @rule(queue=QUEUES, number=NUMBERS, minutes=MINUTES)
    def open_work(self, queue, number, minutes):
        due_at = AT_ONCE if minutes is None else NOON + timedelta(minutes=minutes)
        self._happens(Opened(queue, number, due_at))

    @rule(queue=QUEUES, number=NUMBERS)
    def close_work(self, queue, number):
        self._happens(Closed(queue, number))

    @rule(minutes=st.integers(1, 90))
    def time_goes_on(self, minutes):
        self.now += timedelta(minutes=minutes)
        self.save_and_look_ahead()

    @rule()
    def save_and_look_ahead(self):
        opened, closed = self.agenda.take_changes()
        if self.agenda.position != self.saved:
            moves = {"after": self.saved, "position": self.agenda.position}
            assert self.log.save_progress(NAME, **moves, opened=opened, closed=closed)
            self.saved = self.agenda.position
        horizon = max(self.now + timedelta(hours=1), self.agenda.horizon)
        saved = self.log.open_work(NAME, due_from=self.agenda.horizon, due_before=horizon)
        self.agenda.load(saved, horizon)

    @rule()
    def is_killed(self):
        self._begin_anew()

    @invariant()
    def what_is_due_is_being_done(self):
        self.doing |= {(w.queue, w.number, w.position) for w in self.agenda.take_due(self.now)}
        firsts = {}
        for (queue, number), (due_at, position) in sorted(self.open.items()):
            if due_at <= self.now:
                firsts.setdefault(queue, (queue, number, position))
            else:
                assert (queue, number, position) not in self.doing
        assert set(firsts.values()) <= self.doing
        known = [due_at for due_at, _ in self.open.values() if due_at < self.agenda.horizon]
        assert self.agenda.open_soon == len(known)

    def _begin_anew(self):
        self.saved = self.log.tracked(NAME)
        self.agenda = Agenda(self.saved or 0)
        self.doing = set()
        horizon = self.now + timedelta(hours=1)
        self.agenda.load(self.log.open_work(NAME, due_from=AT_ONCE, due_before=horizon), horizon)
        for position, change in self.history[self.agenda.position :]:
            self.agenda.note(change, position)
        self.agenda.position = self.position

    def _happens(self, change):
        self.position += 1
        self.history.append((self.position, change))
        if isinstance(change, Opened):
            self.open[change.queue, change.number] = (change.due_at, self.position)
        else:
            self.open.pop((change.queue, change.number), None)
        self.agenda.note(change, self.position)
        self.agenda.position = self.position


TestAgainstAPlainFold = AgainstAPlainFold.TestCase
TestAgainstAPlainFold.settings = settings(max_examples=150, stateful_step_count=30, deadline=None)

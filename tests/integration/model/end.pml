/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The end of a thread: it tells DEATH, somebody reaps it meanwhile or after, controllers detach or change
 * what they want to hear, one attaches at any moment; in every order in which their steps can come.  One step is
 * what the module does under the thread's lock, or one look at what is not under it.
 *
 * To be seen: REAP comes after DEATH has been told, each engine is let go once and none is forgotten, and the errno that
 * a controller gets says truly who is to clean up: 0 himself, and no callback comes any more; EALREADY the
 * callbacks to come; ESRCH REAP, which has come or will.
 *
 * run says which rules are taken out, by which -D, and what has to be found then.
 */
#define ENGINES 2
#define NOBODY	9

/* As the kernel has it: 1 a zombie, 2 being reaped. */
byte exit_state;
/* Its parent wants no zombie: it reaps itself. */
bool nobody_waits;
/* Who enters a thread into the table keeps exit_notify() out: tasklist_lock. */
bool entering;
/* What the thread's flags say, which is all that the hooks look at first. */
bool marked;

/* Of the thread's state, under its lock. */
bool dying, dead, reaping;
byte reporting = NOBODY;

/* Of each engine. */
bool listed[ENGINES], wants_death[ENGINES], wants_reap[ENGINES], detaching[ENGINES];
byte let_go[ENGINES];
bool was_attached[ENGINES];

/* What has been told to it, and what its controller was told. */
bool told_death[ENGINES], told_reap[ENGINES], left_itself[ENGINES];
bool gone_by_himself[ENGINES], promised_callback[ENGINES], promised_reap[ENGINES];

inline unlist(e) {
	listed[e] = false;
	let_go[e]++;
	assert(let_go[e] == 1)
}

inline reap_one(e) {
	atomic {
		if
		:: listed[e] ->
			assert(reporting == NOBODY && !dying);
			if
			:: wants_reap[e] ->
				assert(!gone_by_himself[e]);
				told_reap[e] = true
			:: else
			fi;
			unlist(e)
		:: else
		fi
	}
}

inline reap_all() {
	assert(dead);
	reap_one(0);
	reap_one(1)
}

/* The hook at release_task(), in the reaper's context, or in the thread's own if nobody waits for it. */
inline report_reap() {
	bool now;

	if
	:: marked ->
#if defined(REAP_FIRST)
		atomic { now = true; reaping = true };
#elif defined(TWO_LOOKS)
		now = dead && !reaping;
		reaping = true;
#else
		atomic { now = dead && !reaping; reaping = true };
#endif
		if
		:: now -> reap_all()
		:: else
		fi
	:: else
	fi
}

inline tell_death(e) {
	bool called;

	atomic {
		called = listed[e] && wants_death[e] && !detaching[e];
		if
		:: called ->
			assert(!gone_by_himself[e]);
			reporting = e
		:: else
		fi
	};
	if
	:: called ->
		atomic {
			assert(!gone_by_himself[e]);
			told_death[e] = true;
			reporting = NOBODY;
			if
			:: detaching[e] -> unlist(e)
			/* What it returns may be that it leaves. */
			:: !detaching[e] && listed[e] -> unlist(e); left_itself[e] = true
			:: !detaching[e]
			fi
		}
	:: else
	fi
}

proctype thread() {
	bool reaped, tells;

	/* exit_notify(). */
	atomic {
		!entering;
		if
		:: exit_state = 1
		:: exit_state = 2; nobody_waits = true
		fi
	};
	if
	:: nobody_waits -> report_reap()
	:: else
	fi;
	/* Then the hook that tells DEATH. */
	atomic { tells = marked && !dead; dying = tells };
	if
	:: tells ->
		tell_death(0);
		tell_death(1);
		atomic {
			dying = false; dead = true;
#ifdef NOT_LEFT_TO_THE_THREAD
			reaped = false
#else
			reaped = reaping
#endif
		};
		if
		:: reaped -> reap_all()
		:: else
		fi
	:: else
	fi
}

proctype reaper() {
	if
	/* wait_task_zombie()'s cmpxchg. */
	:: atomic { exit_state == 1 -> exit_state = 2 };
		report_reap()
	:: nobody_waits
	fi
}

/* Of an engine that was attached long ago, or of one that has just been. */
inline control(e) {
	byte asks;

	select(asks : 0 .. 2);
	if
	/* DETACH */
	:: asks == 0 -> atomic {
			if
			:: !was_attached[e] || let_go[e] > 0 || reaping ->
				promised_reap[e] = was_attached[e] && let_go[e] == 0
			:: else ->
				if
#ifndef DETACH_ANYWAY
				:: dying -> promised_callback[e] = true
				:: !dying && reporting == e -> detaching[e] = true
				:: !dying && reporting != e ->
#else
				:: true ->
#endif
					unlist(e); gone_by_himself[e] = true
				fi
			fi
		}
	/* No DEATH any more; and no REAP either. */
	:: asks == 1 -> atomic {
			if
			:: !was_attached[e] || let_go[e] > 0 || reaping
			:: else ->
				if
				:: dying && wants_death[e]
				:: else -> wants_death[e] = false
				fi
			fi
		}
	:: asks == 2 -> atomic {
			if
			:: !was_attached[e] || let_go[e] > 0 || reaping || (dying && wants_death[e])
			:: else -> wants_death[e] = false; wants_reap[e] = false
			fi
		}
	fi
}

proctype controller() {
	control(0);
	control(0)
}

/* The first engine of a thread, at any moment of its end, by somebody else. */
proctype newcomer() {
	bool entered = true;

	if
	:: marked
	:: else ->
		entering = true;
#ifndef DEAD_LATE
		atomic { dead = dead || exit_state > 0 };
#endif
#ifdef LOOK_FIRST
		entered = exit_state != 2;
		marked = marked || entered;
#else
		marked = true;
		/* The full barrier of set_bit(), and of the cmpxchg. */
		entered = exit_state != 2;
		if
		:: !entered -> marked = false
		:: else
		fi;
#endif
#ifdef DEAD_LATE
		atomic { dead = dead || exit_state > 0 };
#endif
		entering = false
	fi;
	if
	:: entered ->
		atomic {
			if
#ifndef ATTACH_TO_THE_REAPED
			:: reaping
			:: !reaping ->
#else
			:: true ->
#endif
				listed[1] = true; was_attached[1] = true
			fi
		};
		atomic {
			if
			:: let_go[1] > 0 || reaping || !was_attached[1]
			:: else ->
				wants_reap[1] = true;
				/* Of one that is beyond control only REAP can be heard. */
				wants_death[1] = !(dying || dead || exit_state > 0)
			fi
		};
		control(1)
	:: else
	fi
}

init {
	atomic {
#ifndef NOBODY_BEFORE
		marked = true;
		listed[0] = true; was_attached[0] = true;
		wants_death[0] = true; wants_reap[0] = true;
#endif
		run thread();
		run reaper();
		run controller();
		run newcomer()
	};
	/* All is over. */
	_nr_pr == 1;
	assert(exit_state == 2 && !listed[0] && !listed[1]);
	assert(!was_attached[0] || let_go[0] == 1);
	assert(!was_attached[1] || let_go[1] == 1);
	assert(!promised_callback[0] || told_death[0] || told_reap[0] || !wants_reap[0]);
	assert(!promised_callback[1] || told_death[1] || told_reap[1] || !wants_reap[1]);
	assert(!promised_reap[0] || told_reap[0] || !wants_reap[0] || left_itself[0]);
	assert(!promised_reap[1] || told_reap[1] || !wants_reap[1] || left_itself[1])
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The stop rule, the pass and nested holds: one thread, its engines, and who controls them, in every
 * order in which their steps can come.  One step is what the module does under the thread's lock.
 *
 * run says which rules are taken out, or put in the place of ours, by which -D, and what has to
 * be found then.
 */
#ifndef ENGINES
#define ENGINES 3
#endif
#ifndef PASSES
#define PASSES 3
#endif
#define REPORT 0
#define ASYNC  1

/* Of each engine and slot: wanted for, released up to, handed out up to. */
byte wanted[6], released[6], handed[6];
#define SLOT(e, s) ((e) * 2 + (s))
/* The last number given out. */
byte counter;
bool attached[3] = true;
/* What its controller has to answer, 0: nothing; and what he has answered up to. */
byte notice[3], answered[3];
/* The thread sleeps; it is to come by. */
bool asleep, kicked;
#ifdef AGAIN
/* Whoever asks to be told again at the same entry, when nobody holds the thread any more; once each. */
bool again[3], asked[3];
#define ANY_AGAIN ((again[0] && attached[0]) || (again[1] && attached[1]) || (again[2] && attached[2]))
#endif
/* A stop of whoever has been told that it will be obeyed. */
bool promised[3];
bool nested;

#if defined(RULE_2009) || defined(RULE_MARK)
/* One bit an engine; and one for the thread, which is what it looks at before it sleeps. */
bool stops[3], any_stops, mark[3];
#define OPEN(e) (attached[e] && stops[e])
#else
#define OPEN(e) (attached[e] && \
		 (wanted[SLOT(e, REPORT)] > released[SLOT(e, REPORT)] || \
		  wanted[SLOT(e, ASYNC)] > released[SLOT(e, ASYNC)]))
#endif
#define HELD (OPEN(0) || OPEN(1) || OPEN(2))

inline wake() {
	if
	:: asleep && !HELD -> asleep = false
	:: else
	fi
}

inline want(e, slot, seq) {
#if defined(RULE_2009)
	stops[e] = true; any_stops = true
#elif defined(RULE_MARK)
	if
	:: mark[e] -> mark[e] = false
	:: else -> stops[e] = true
	fi
#else
	if
	:: seq > wanted[SLOT(e, slot)] -> wanted[SLOT(e, slot)] = seq
	:: else
	fi
#endif
}

/* Of an engine that has left nothing is taken; a number it was never handed changes nothing. */
inline release(e, slot, seq) {
	if
	:: !attached[e]
#if defined(RULE_2009)
	:: attached[e] -> stops[e] = false
#elif defined(RULE_MARK)
	:: attached[e] && stops[e] -> stops[e] = false
	:: attached[e] && !stops[e] -> mark[e] = true
#elif defined(ANY_NUMBER)
	:: attached[e] && seq > released[SLOT(e, slot)] -> released[SLOT(e, slot)] = seq
#else
	:: attached[e] && seq > released[SLOT(e, slot)] && seq <= handed[SLOT(e, slot)] ->
		released[SLOT(e, slot)] = seq
#endif
	:: else
	fi;
#ifndef NO_WAKE
	if
	:: attached[e] -> wake()
	:: else
	fi
#else
	skip
#endif
}

#ifdef ONE_SLOT
#define ASYNC_SLOT REPORT
#else
#define ASYNC_SLOT ASYNC
#endif

/* As utrace_hold(): looked at, and fallen asleep, under one lock. */
inline hold() {
#ifdef DECIDED_BEFORE
	if
	:: HELD -> asleep = true
	:: else
	fi;
#elif defined(RULE_2009)
	atomic {
		if
		:: any_stops -> asleep = true; any_stops = false
		:: else
		fi
	};
#else
	atomic {
		if
		:: HELD -> asleep = true
		:: else
		fi
	};
#endif
	(!asleep)
}

/* A callback, which returns STOP. */
inline callback(e) {
	atomic {
		if
		:: attached[e] ->
#ifdef SAME_NUMBER
			if
			:: last[e] > 0 -> seq = last[e]
			:: else -> counter++; seq = counter
			fi;
#else
			counter++; seq = counter;
#endif
			handed[SLOT(e, REPORT)] = seq;
			in_callback = true
		:: else -> in_callback = false
		fi
	};
	if
	:: in_callback ->
		notice[e] = seq;
		atomic {
			if
			:: attached[e] -> want(e, REPORT, seq)
			:: else
			fi
		};
		last[e] = seq
	:: else
	fi
}

/* Those of one event: QUIESCE, if it asks for that, and its own. */
inline call(e) {
#ifdef QUIESCE
	callback(e);
#endif
	callback(e);
	if
	:: in_callback ->
		if
		:: nested ->
#ifndef NOT_NESTED
			hold();
#endif
			/* The next one finds it over. */
			assert(!attached[e] || answered[e] >= seq)
		:: else
		fi
	:: else
	fi
}

#ifdef AGAIN
inline call_again(e) {
	if
	:: atomic { now[e] -> now[e] = false };
		call(e)
	:: else
	fi
}
#endif

proctype thread() {
	byte seq, pass, last[3];
	bool in_callback;
#ifdef AGAIN
	bool now[3];
#endif

	do
	:: pass < PASSES ->
		pass++;
		last[0] = 0; last[1] = 0; last[2] = 0;
		/* At an entry from the last attached to the first. */
		if
		:: pass % 2 == 1 ->
#if ENGINES > 2
			call(2);
#endif
			call(1);
			call(0)
		:: else ->
			call(0);
			call(1)
#if ENGINES > 2
			; call(2)
#endif
		fi;
		hold();
#ifdef AGAIN
		do
		:: atomic { pass % 2 == 1 && ANY_AGAIN ->
				now[0] = again[0]; now[1] = again[1]; now[2] = again[2];
				again[0] = false; again[1] = false; again[2] = false
			};
#if ENGINES > 2
			call_again(2);
#endif
			call_again(1);
			call_again(0);
			hold()
		:: else -> break
		od;
		again[0] = false; again[1] = false; again[2] = false;
#endif
		/* Whoever was told, again or not, has answered that. */
		assert(!attached[0] || notice[0] == 0);
		assert(!attached[1] || notice[1] == 0);
		assert(!attached[2] || notice[2] == 0);
		assert(!attached[0] || answered[0] >= last[0]);
		assert(!attached[1] || answered[1] >= last[1]);
		assert(!attached[2] || answered[2] >= last[2]);
		/* Near user mode, as long as it is to come by. */
		do
		:: atomic { kicked ->
#ifndef NOTE_TAKEN_LATE
			kicked = false
#endif
			};
			hold();
#ifdef NOTE_TAKEN_LATE
			kicked = false
#endif
		:: atomic { !kicked ->
			/* An instruction of its own: whoever was told that it will not is wrong. */
			assert(!(promised[0] && OPEN(0)) && !(promised[1] && OPEN(1)));
			break
			}
		od
	:: else -> break
	od;
	/* What comes later, it still obeys. */
end:	do
	:: atomic { kicked -> kicked = false }; hold()
	od
}

/* Answers what it is told, at any time; an old answer may come once more, and one out of the air. */
proctype controller(byte e) {
	byte seq, old;

end:	do
	:: atomic { notice[e] > 0 ->
			seq = notice[e]; notice[e] = 0; answered[e] = seq
#ifdef AGAIN
			;
			if
			:: asked[e]
			:: !asked[e] -> asked[e] = true; again[e] = true
			:: !asked[e]
			fi
#endif
		}
		atomic { release(e, REPORT, seq); old = seq }
	:: atomic { old > 0 -> release(e, REPORT, old); old = 0 }
#ifdef STRAY
	:: atomic { counter == 0 -> release(e, REPORT, 99) }
#endif
	od
}

/* Stops it from outside, and lets it go. */
proctype stopper(byte e) {
	byte seq;

	atomic {
		counter++; seq = counter;
		handed[SLOT(e, ASYNC_SLOT)] = seq;
		want(e, ASYNC_SLOT, seq)
	};
	kicked = true;
	promised[e] = true;
	promised[e] = false;
	atomic { release(e, ASYNC_SLOT, seq) }
}

/* An engine that leaves, or whose owner dies, at any moment. */
proctype leaver(byte e) {
	atomic {
		attached[e] = false;
#if defined(RULE_2009) || defined(RULE_MARK)
		stops[e] = false;
#endif
#ifndef LEAVES_IT_ASLEEP
		wake()
#endif
	}
}

init {
	atomic {
#if ENGINES < 3
		attached[2] = false;
#endif
#ifdef NESTED
		nested = true;
#endif
		run thread();
		run controller(0);
		run controller(1);
#if ENGINES > 2
		run controller(2);
#endif
#ifndef QUIET
		run stopper(0);
		run stopper(1);
#endif
#ifdef LEAVES
		run leaver(LEAVES)
#endif
	}
}

/*
 * ring.pml - the ring's protocol as a spin model: WRITERS reserve, copy and commit in blocks of CELLS
 * cells; one listener takes spans and reads while leasing; slots are recycled under it. What ring.c does
 * under its lock is one atomic step here; copying and reading are not.
 *
 * Claims: a reader sees no uncopied cell (`copied` of the block's own sequence), never one of a recycled
 * block, and what it read or was told it lost is everything it passed over, in order.
 *
 * Mutants, each of which must be caught:
 *   -DMUTANT_RESERVED    readers are shown what is reserved (HPCAP's defect)
 *   -DMUTANT_OWN_END     a commit publishes up to its own end, whatever others still copy
 *   -DMUTANT_NO_LEASE    recycling ignores leases
 *   -DMUTANT_EARLY_SEAL  a full block is sealed while copies into it are under way
 *   -DMUTANT_LOST        what was recycled under the listener is not counted
 */
#ifndef WRITERS
#define WRITERS 2
#endif
#define SLOTS (WRITERS + 3)	/* leases_max * listeners_max + writers + 2, with one lease */
#define CELLS 2
#define BATCHES 4		/* reservations of each writer */
#define NONE 255

/* Mutants as conditions, false in the protocol as it is. */
#ifdef MUTANT_RESERVED
#define RESERVED true
#else
#define RESERVED false
#endif
#ifdef MUTANT_OWN_END
#define OWN_END true
#else
#define OWN_END false
#endif
#ifdef MUTANT_NO_LEASE
#define PINNED(slot) false
#else
#define PINNED(slot) leased[slot]
#endif
#ifdef MUTANT_EARLY_SEAL
#define EARLY_SEAL true
#else
#define EARLY_SEAL false
#endif
#ifdef MUTANT_LOST
#define UNCOUNTED true
#else
#define UNCOUNTED false
#endif

mtype = { FREE, OPEN, CLOSING, SEALED };

mtype state[SLOTS];
byte seq[SLOTS];
byte first[SLOTS];		/* number of its first packet */
byte reserved[SLOTS];
byte published[SLOTS];
byte copying[SLOTS];
bool leased[SLOTS];
byte cell[SLOTS * CELLS];	/* sequence of the block it was copied for, 0: nothing */

bool busy[WRITERS];
byte at_slot[WRITERS];
byte at_cell[WRITERS];

byte open_slot = NONE;
byte next_seq = 0;
byte packets = 0;
byte finished = 0;

/* The free slot, or the sealed one with the lowest sequence that nobody leases. */
inline pick(found) {
	found = NONE; k = 0;
	do
	:: k < SLOTS ->
		if
		:: state[k] == FREE && found == NONE -> found = k
		:: state[k] == SEALED && !PINNED(k) &&
		   (found == NONE || (state[found] != FREE && seq[k] < seq[found])) -> found = k
		:: else
		fi;
		k++
	:: else -> break
	od
}

inline open_next() {
	pick(open_slot);
	assert(open_slot != NONE);	/* reserving always succeeds: the invariant of ring.h */
	next_seq++;
	state[open_slot] = OPEN; seq[open_slot] = next_seq; first[open_slot] = packets;
	reserved[open_slot] = 0; published[open_slot] = 0; copying[open_slot] = 0
}

inline seal_if_done(s) {
	if
	:: state[s] == CLOSING && (copying[s] == 0 || EARLY_SEAL) ->
		state[s] = SEALED; published[s] = reserved[s]
	:: else
	fi
}

inline publish(s, own_end) {
	published[s] = (OWN_END && own_end > published[s] -> own_end : (OWN_END -> published[s] : reserved[s]));
	k = 0;
	do
	:: k < WRITERS && !OWN_END ->
		if
		:: busy[k] && at_slot[k] == s && at_cell[k] < published[s] -> published[s] = at_cell[k]
		:: else
		fi;
		k++
	:: else -> break
	od
}

proctype writer(byte me) {
	byte batch = 0, k = 0;
	do
	:: batch < BATCHES ->
		d_step {	/* rt_ring_reserve */
			if
			:: reserved[open_slot] == CELLS ->
				state[open_slot] = CLOSING;
				seal_if_done(open_slot);
				open_next()
			:: else
			fi;
			busy[me] = true; at_slot[me] = open_slot; at_cell[me] = reserved[open_slot];
			copying[open_slot]++; reserved[open_slot]++; packets++;
			published[open_slot] = (RESERVED -> reserved[open_slot] : published[open_slot])
		}
		cell[at_slot[me] * CELLS + at_cell[me]] = seq[at_slot[me]];	/* rt_copy */
		d_step {	/* rt_ring_commit */
			busy[me] = false; copying[at_slot[me]]--;
			publish(at_slot[me], at_cell[me] + 1);
			seal_if_done(at_slot[me])
		}
		batch++
	:: else -> break
	od;
	finished++
}

/* One lease; any state may be overtaken by writers between its steps. */
proctype listener() {
	byte want = 1, offset = 0, packet = 0, lost = 0, read = 0;
	byte slot, from, to, number, k = 0;
	bool last = false;

	do
	:: d_step {	/* rt_ring_take: the oldest block not older than `want` */
			last = (finished == WRITERS);
			slot = NONE; k = 0;
			do
			:: k < SLOTS ->
				if
				:: state[k] != FREE && seq[k] >= want &&
				   (slot == NONE || seq[k] < seq[slot]) -> slot = k
				:: else
				fi;
				k++
			:: else -> break
			od;
			if
			:: slot != NONE && seq[slot] != want ->
				want = seq[slot]; offset = 0;
				lost = (UNCOUNTED -> lost : lost + first[slot] - packet);
				packet = first[slot]
			:: else
			fi;
			from = offset; to = offset; number = want;
			if
			:: slot != NONE && offset < published[slot] ->
				to = published[slot]; leased[slot] = true; offset = to
			:: slot != NONE && offset == published[slot] && state[slot] == SEALED ->
				want++; offset = 0
			:: else -> slot = NONE
			fi
		}
		if
		:: from < to ->	/* reads, cell by cell, while the writers go on */
			do
			:: from < to ->
				assert(cell[slot * CELLS + from] == number);
				from++; read++; packet++
			:: else -> break
			od;
			leased[slot] = false	/* rt_ring_release */
		:: from == to && slot == NONE && last -> break
		:: else
		fi
	od;
	assert(read + lost == packets)
}

init {
	byte k = 0;
	atomic {
		do
		:: k < SLOTS -> state[k] = FREE; k++
		:: else -> break
		od;
		open_next();
		k = 0;
		do
		:: k < WRITERS -> run writer(k); k++
		:: else -> break
		od;
		run listener()
	}
}

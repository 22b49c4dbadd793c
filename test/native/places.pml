/*
 * places.pml - how several capture workers fill one stream of blocks (native/src/capture.c, places.h), as a
 * spin model: WORKERS take turns as the sequencer, reserve cells in blocks of CELLS for the next packets of
 * one queue, copy and commit outside the turn; a writer takes what is passed on and gives blocks back.
 * Under the turn everything is one thread's; copying, committing, writing and leaving are not.
 *
 * Claims: the writer sees no cell that is reserved and not copied; it gets the packets in the order of the
 * queue, every one, once; nobody waits for ever (spin's invalid end states).
 *
 * Mutants, each of which must be caught:
 *   -DMUTANT_RESERVED    sealed blocks are passed on while copies are under way (HPCAP's defect)
 *   -DMUTANT_COMMIT      a commit is made before its copy
 *   -DMUTANT_OVERTAKE    a complete block is passed on before an older one that is not
 *   -DMUTANT_OWN         the sequencer waits for a free block with its own places not filled
 *   -DMUTANT_FIRST_ENDS  the first worker to leave seals the last block, not the last one
 */
#ifndef WORKERS
#define WORKERS 2
#endif
#define BLOCKS 2
#define CELLS 2
#define BATCH 5			/* packets of a poll: more than all blocks hold, so that a turn must wait in its middle */
#define PACKETS 11
#define NONE 255

#ifdef MUTANT_RESERVED
#define COMPLETE(b) true
#else
#define COMPLETE(b) (committed[b] == reserved[b])
#endif
#ifdef MUTANT_COMMIT
#define COMMIT_FIRST true
#else
#define COMMIT_FIRST false
#endif
#ifdef MUTANT_OVERTAKE
#define OVERTAKE true
#else
#define OVERTAKE false
#endif
#ifdef MUTANT_OWN
#define FILL_OWN false
#else
#define FILL_OWN true
#endif
#ifdef MUTANT_FIRST_ENDS
#define LAST_ENDS (working == WORKERS - 1)
#else
#define LAST_ENDS (working == 0)
#endif

byte cell[BLOCKS * CELLS];	/* the packet copied there, 0: none since the block was reset */
byte reserved[BLOCKS];
byte committed[BLOCKS];
bool final[BLOCKS];

/* Could pass_on do anything? Keeps a waiting sequencer from spinning in the model. */
#define HEAD_COMPLETE ((sealed?[0] && COMPLETE(0)) || (sealed?[1] && COMPLETE(1)))

chan free = [BLOCKS] of { byte };
chan sealed = [BLOCKS] of { byte };	/* the sequencer's own list */
chan filled = [BLOCKS] of { byte };	/* to the writer */

bool turn;			/* taken */
byte current = NONE;		/* block being reserved in */
byte next = 0;			/* packets the queue has given out */
bool ended;			/* it has no more */
byte working = WORKERS;

/* Under the turn; one step, as only the commits of others can come between, and they only help. */
inline pass_on(b) {
	skip;
	d_step {
		b = NONE;
		do
		:: len(sealed) > 0 ->
			sealed?<b>;
			if
			:: COMPLETE(b) -> sealed?b; filled!b
			:: !COMPLETE(b) && OVERTAKE && len(sealed) > 1 -> sealed?b; sealed!b; break
			:: else -> break
			fi
		:: else -> break
		od;
		b = NONE
	}
}

/* places_fill: copies and commits what this worker has reserved. */
inline fill(b) {
	k = 0;
	do
	:: k < places ->
		b = place[k] / CELLS;
		if
		:: COMMIT_FIRST -> committed[b]++; cell[place[k]] = packet[k]
		:: else -> cell[place[k]] = packet[k]; committed[b]++
		fi;
		k++
	:: else -> break
	od;
	places = 0; k = 0; b = NONE
}

inline take_block(b) {
	if
	:: len(free) > 0 -> skip
	:: else ->
		if
		:: FILL_OWN -> fill(b)
		:: else
		fi;
		do	/* pool_wait of a patient source: passes on what others commit meanwhile */
		:: pass_on(b);
			if
			:: len(free) > 0 -> break
			:: else -> (len(free) > 0 || HEAD_COMPLETE)
			fi
		od
	fi;
	skip;
	d_step { free?current; reserved[current] = 0; committed[current] = 0; final[current] = false }
}

proctype worker() {
	byte place[BATCH], packet[BATCH];
	byte places = 0, k = 0, b = NONE, polled = 0;
	bool more = true;

	do
	:: more ->
		atomic { !turn -> turn = true }
		polled = 0;
		more = !ended;
		if
		:: more -> pass_on(b)
		:: else
		fi;
		if
		:: next == PACKETS -> ended = true; more = false
		:: else
		fi;
		do
		:: more && polled < BATCH && next < PACKETS ->
			if
			:: current != NONE && reserved[current] == CELLS -> d_step { sealed!current; current = NONE }
			:: else
			fi;
			if
			:: current == NONE -> take_block(b)
			:: else
			fi;
			skip;
			d_step {
				next++;
				place[places] = current * CELLS + reserved[current];
				packet[places] = next;
				reserved[current]++; places++; polled++
			}
		:: else -> break
		od;
		turn = false;
		fill(b)
	:: else -> break
	od;
	atomic { working--; more = LAST_ENDS }
	if
	:: more ->	/* end: seals the last block, even an empty one */
		if
		:: current == NONE -> take_block(b)
		:: else
		fi;
		skip;
		d_step { final[current] = true; sealed!current; current = NONE };
		pass_on(b)
	:: else
	fi
}

proctype writer() {
	byte b, k, seen = 0;
	bool last = false;

	do
	:: !last ->
		filled?b;
		last = final[b];
		k = 0;
		do	/* reads every reserved byte, while the workers go on */
		:: k < reserved[b] ->
			seen++;
			assert(cell[b * CELLS + k] == seen);
			k++
		:: else -> break
		od;
		skip;
		d_step { cell[b * CELLS] = 0; cell[b * CELLS + 1] = 0 };
		free!b
	:: else -> break
	od;
	assert(seen == PACKETS)
}

init {
	byte k = 0;
	atomic {
		do
		:: k < BLOCKS -> free!k; k++
		:: else -> break
		od;
		k = 0;
		do
		:: k < WORKERS -> run worker(); k++
		:: else -> break
		od;
		run writer()
	}
}

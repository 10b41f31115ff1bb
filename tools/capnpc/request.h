/* SPDX-License-Identifier: MIT */
/*
 * The request of the compiler: nodes by number, their comments and
 * annotations. Everything lives until the process ends.
 */
#pragma once

#include "schema.h"

/* Numbers of the annotations in idl/bennu.capnp. */
#define BENNU(n)		(0xbe44000000000000ul + (n))
#define NOTE_PLACE		BENNU(0x01)
#define NOTE_NUMBERS		BENNU(0x02)
#define NOTE_PREFIX		BENNU(0x04)
#define NOTE_TAG		BENNU(0x10)
#define NOTE_TRUST		BENNU(0x11)
#define NOTE_ERRORS		BENNU(0x12)
#define NOTE_REPLAY		BENNU(0x13)
#define NOTE_PARKS		BENNU(0x15)
#define NOTE_MAX		BENNU(0x20)
#define NOTE_CLAMP		BENNU(0x21)
#define NOTE_REFUSE		BENNU(0x22)
#define NOTE_HALF		BENNU(0x23)
#define NOTE_SHIFT		BENNU(0x24)
#define NOTE_WORD		BENNU(0x25)
#define NOTE_SHORT		BENNU(0x26)
#define NOTE_IN_WORDS		BENNU(0x27)
#define NOTE_LENGTH_OF		BENNU(0x28)
#define NOTE_INTO		BENNU(0x29)
#define NOTE_OPTIONAL		BENNU(0x2a)
#define NOTE_TYPE		BENNU(0x2b)
#define NOTE_DOC		BENNU(0x2c)
#define NOTE_LAYOUT		BENNU(0x30)
#define NOTE_COUNT		BENNU(0x32)
#define NOTE_SIZE		BENNU(0x33)
#define NOTE_HEX		BENNU(0x34)

struct node {
	uint64_t id;
	struct schema_node at;
	const struct node *scope;	/* NULL: a file */
	const char *name;	/* without its scope */
	const char *full_name;	/* file:Scope.name, for complaints */
	const char *doc;	/* "" if none */
	struct capnp_list member_info;
};

struct source_file {
	const struct node *node;
	const char *path;	/* as given to the compiler */
	const char *name;	/* without folder and .capnp */
};

/* Reads standard input; ends the process if it is no request. */
void request_read(void);
/* Ends the process if something was read that is not as schema.capnp says. */
void request_check(void);
unsigned request_file_count(void);
struct source_file request_file(unsigned i);
unsigned request_node_count(void);
const struct node *request_node(unsigned i);
/* NULL: not in the request. */
const struct node *node_find(uint64_t id);
const struct node *node_file(const struct node *node);
/* It imports bennu.capnp. */
bool file_is_ours(const struct node *file);
bool file_imports(const struct node *file, const struct node *other);
/* Nested ones in the order of the text; count, then i-th. */
unsigned node_nested_count(const struct node *node);
const struct node *node_nested(const struct node *node, unsigned i);
/* Of the i-th field, enumerant or method; "" if none. */
const char *node_member_doc(const struct node *node, unsigned i);

/* Annotations: of a node or a member. */
bool note_has(struct capnp_list notes, uint64_t id);
uint64_t note_number(struct capnp_list notes, uint64_t id, uint64_t missing);
/* NULL if missing. */
const char *note_text(struct capnp_list notes, uint64_t id);

/* The bits of a value of a number, bool or enum, signs extended. */
uint64_t value_bits(struct schema_value value);

/* -- what all files need -- */

void *make(size_t size);	/* zeroed; ends the process if there is none */
char *text_of(struct capnp_blob blob);
char *text_format(const char *format, ...)
    __attribute__((format(printf, 1, 2)));
/* statAt -> stat_at, STAT_AT */
char *name_lower(const char *name);
char *name_upper(const char *name);
/* Lower, and no word of C. */
char *name_member(const char *name);
/* Nor a variable of the generated functions. */
char *name_local(const char *name);

/* Prints "file:Interface.method: what is wrong"; nothing will be written. */
void complain(const char *where, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
unsigned complaints(void);

/* SPDX-License-Identifier: MIT */
/*
 * Interfaces as the generator sees them: every parameter has found its word,
 * window or place among the capabilities. What breaks a rule was complained
 * about.
 *
 * A request has word 0 for the tag and seven more. Numbers take words 1 and up
 * in the order of the text, several may share one. Text, data and fixed structs
 * are windows: of the request first, then of the results. The length of window
 * 0 travels in word 7, that of window 1 in word 6, unless a parameter says that
 * it carries it. A window of a result is the caller's buffer, its length in the
 * reply how much was written.
 */
#pragma once

#include "request.h"

#define PARAMETERS_MAX	16u
#define WORDS		8u
#define WINDOWS_MAX	2u
#define CAPS_MAX	4u
#define SHORT_WORD	3u	/* first of a short text */
#define SHORT_BYTES	32u

enum form {
	FORM_NUMBER,
	FORM_IN_WORDS,		/* text in words */
	FORM_BYTES,		/* text or data, in a window */
	FORM_STRUCT,		/* fixed struct, in a window */
	FORM_CAP,
	FORM_LENGTH,		/* word of the length of another one */
};

struct parameter {
	const char *name;	/* in C */
	const char *c_type;	/* of a number or fixed struct */
	const char *doc;	/* "" if none */
	enum form form;
	bool	 is_result;
	bool	 is_bool, is_text, is_signed;
	unsigned bits;		/* of a number */
	unsigned word, bit;	/* where; a window: of its length, 0 none */
	unsigned bytes;		/* FORM_IN_WORDS */
	unsigned window, cap;
	uint64_t max;
	bool	 has_max, clamp, is_short, optional;
	const char *refuse;	/* error in C */
	const char *of;		/* FORM_LENGTH: of whom */
	const char *into_name;
	const struct parameter *into;	/* a result over a parameter */
	const struct parameter *outof;	/* the other way round */
	unsigned room_word;	/* FORM_BYTES of a result, in the request */
};

struct method {
	const struct interface *interface;
	const char *where;	/* for complaints */
	const char *name;	/* stat_at */
	const char *upper;	/* STORAGE_STAT_AT */
	const char *lower;	/* storage_stat_at */
	const char *doc, *errors, *replay;
	unsigned tag, trust;
	bool	 parks, keyed;
	struct parameter in[PARAMETERS_MAX], out[PARAMETERS_MAX];
	unsigned in_count, out_count;
	unsigned windows, windows_optional, caps_in, caps_optional, caps_out;
	unsigned request_words, reply_words;	/* bit per word in use */
	bool	 is_short;	/* one text of it may be */
};

struct interface {
	const struct node *node;
	const char *name;	/* storage */
	const char *upper;	/* STORAGE */
	const char *place;
	bool	 status_numbers;
	struct method *method;
	unsigned method_count;
	bool	 keyed;		/* one of its methods is */
};

/* Name in C of a struct, enum or interface. */
char *node_lower(const struct node *node);
char *node_upper(const struct node *node);
bool node_is_fixed(const struct node *node);

/* Checks everything; complains. Interfaces of all requested files. */
void model_build(void);
unsigned model_count(void);
const struct interface *model_interface(unsigned i);

/* parameters.c: finds the places of all; complains. */
void parameters_read(struct method *method, const struct node *in,
    const struct node *out);

/* A window of the caller takes a result. */
bool method_has_room(const struct method *method);
/* A request has arguments, a reply has words that a caller can read. */
bool method_has_args(const struct method *method);
bool method_has_results(const struct method *method);
/* Results that travel in words or by length. */
const struct parameter *method_only_result(const struct method *method);

/* Error names of the interface's numbers. */
const char *error_argument(const struct interface *interface);
const char *error_nosys(const struct interface *interface);
const char *error_trust(const struct interface *interface);

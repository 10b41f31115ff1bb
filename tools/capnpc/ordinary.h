/* SPDX-License-Identifier: MIT */
/*
 * Ordinary structs: readers and builders over lib/capnp. What the files of this
 * share about one field.
 */
#pragma once

#include "emit.h"

struct ordinary_field {
	const char *name;	/* in C */
	const char *upper;
	const char *doc;
	struct schema_field at;
	bool	 is_group;
	const struct node *type_node;	/* of the group, struct or enum */
	unsigned which;		/* schema type; 0 for groups */
	uint32_t offset;	/* in units of its size; pointers: index */
	uint16_t discriminant;	/* or SCHEMA_FIELD_NO_DISCRIMINANT */
	struct schema_type type;
	struct schema_value fallback;
	bool	 has_fallback;
};

/* Fields in the order of the schema's text. */
unsigned ordinary_count(const struct node *node);
struct ordinary_field ordinary_field(const struct node *node, unsigned i);

bool is_pointer_type(unsigned which);
/* 1, 8, 16, 32, 64; 0: void or a pointer. */
unsigned type_bits(unsigned which);
/* uint32_t for floats, too: they are moved as bits. */
const char *type_in_c(unsigned which);
/* CAPNP_BIT ...; of the elements of a list. */
const char *type_element(struct schema_type element);
/* A default as a number in C, exclusive-or which a value is stored; or NULL. */
char *fallback_bits(const struct ordinary_field *field);
/* The name of a function that gives the default of a pointer; or NULL. */
char *fallback_name(const struct node *node,
    const struct ordinary_field *field);
void emit_fallback(const struct node *node,
    const struct ordinary_field *field);

/* ordinary_read.c, ordinary_build.c: all functions of one struct or group. */
void emit_readers(const struct node *node);
void emit_builders(const struct node *node);

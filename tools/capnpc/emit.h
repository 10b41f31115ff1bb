/* SPDX-License-Identifier: MIT */
/* The parts of the generated files. */
#pragma once

#include "model.h"
#include "out.h"

/* types.c: constants, enums and fixed structs of a file, in its order. */
void emit_types(const struct node *file);
/* A comment and definition of its constants, at the place of an interface. */
void emit_tags(const struct interface *interface);

/* message.c: arguments, results and their way into words and back. */
void emit_messages(const struct interface *interface);

/* client.c, server.c, fuzz.c: whole files. */
void emit_client(const struct interface *interface);
void emit_server(const struct interface *interface);
void emit_fuzz(const struct interface *interface);

/* list.c: <idl/names.h>, <idl/fuzz.h>, the golden summary, the manual page. */
void emit_names(void);
void emit_all_fuzz(void);
void emit_golden(const struct interface *interface);
void emit_manual(const struct interface *interface);

/* ordinary.c: readers and builders of a file's ordinary structs. */
bool has_ordinary(const struct node *file);
void emit_ordinary(const struct source_file *file);

/* SPDX-License-Identifier: MIT */
/*
 * capnpc-bennu: turns schemas into C (docs/design/interfaces.md).
 *
 *	capnp compile -o capnpc-bennu:FOLDER idl/NAME.capnp ...
 *
 * For each file with interfaces of ours, FOLDER gets idl/NAME.h and, per
 * interface, idl/INTERFACE_client.h, _server.h and _fuzz.h, golden/INTERFACE.txt
 * and man/INTERFACE.3; once idl/names.h and idl/fuzz.h. Ordinary structs of a file go into
 * idl/NAME.capnp.h. Nothing is written if any rule was broken.
 */
#include "emit.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static void
write_header(const struct source_file *file)
{
	out_begin();
	out_header(file->path, *file->node->doc != '\0' ? file->node->doc :
	    text_format("Protocol of %s.", file->name));
	out("#include <abi/object.h>\n#include <abi/status.h>\n"
	    "#include <idl/errno.h>\n#include <lib/wire/wire.h>\n");
	for (unsigned i = 0; i < request_file_count(); i++) {
		struct source_file other = request_file(i);

		if (other.node != file->node && file_is_ours(other.node) &&
		    file_imports(file->node, other.node))
			out("#include <idl/%s.h>\n", other.name);
	}
	out("\n");
	emit_types(file->node);
	out("\n");
	for (unsigned i = 0; i < model_count(); i++)
		if (node_file(model_interface(i)->node) == file->node)
			emit_messages(model_interface(i));
	out_end("idl", text_format("%s.h", file->name));
}

/* Name of the header that defines the interface's messages. */
static const char *
header_of(const struct interface *interface)
{
	for (unsigned i = 0; i < request_file_count(); i++)
		if (request_file(i).node == node_file(interface->node))
			return request_file(i).name;
	return interface->name;
}

static void
write_part(const struct interface *interface, const char *part,
    const char *include, void (*emit)(const struct interface *interface))
{
	const char *header = header_of(interface);

	out_begin();
	out_header(text_format("idl/%s.capnp", header), text_format(
	    "Protocol of %s: %s.", interface->name, part));
	out("#include <idl/%s.h>\n", header);
	if (include != NULL)
		out("#include <%s>\n", include);
	if (interface->keyed && include != NULL)
		out("#include <lib/wire/outbox.h>\n");
	out("\n");
	emit(interface);
	out_end("idl", text_format("%s_%s.h", interface->name, part));
}

static void
write_interface(const struct interface *interface)
{
	write_part(interface, "client", "lib/wire/call.h", emit_client);
	write_part(interface, "server", "lib/wire/server.h", emit_server);
	write_part(interface, "fuzz", NULL, emit_fuzz);
	out_begin();
	emit_golden(interface);
	out_end("golden", text_format("%s.txt", interface->name));
	out_begin();
	emit_manual(interface);
	out_end("man", text_format("%s.3", interface->name));
}

/* Texts are made first: they complain, too. */
static void
check_all(void)
{
	for (unsigned i = 0; i < request_file_count(); i++) {
		struct source_file file = request_file(i);

		out_begin();
		emit_types(file.node);
		out_begin();
		if (has_ordinary(file.node))
			emit_ordinary(&file);
	}
}

int
main(void)
{
	request_read();
	model_build();
	check_all();
	request_check();
	if (complaints() != 0)
		return 1;
	mkdir("idl", 0777);
	mkdir("golden", 0777);
	mkdir("man", 0777);
	for (unsigned i = 0; i < request_file_count(); i++) {
		struct source_file file = request_file(i);

		if (file_is_ours(file.node))
			write_header(&file);
		if (has_ordinary(file.node)) {
			out_begin();
			emit_ordinary(&file);
			out_end("idl", text_format("%s.capnp.h", file.name));
		}
	}
	for (unsigned i = 0; i < model_count(); i++)
		write_interface(model_interface(i));
	request_check();
	if (model_count() != 0) {
		out_begin();
		emit_names();
		out_end("idl", "names.h");
		out_begin();
		emit_all_fuzz();
		out_end("idl", "fuzz.h");
	}
	return 0;
}

/* SPDX-License-Identifier: MIT */
/*
 * Manifests become services. A mistake in one of them is an error for all:
 * half of a system is not what was asked for.
 */
#include "server.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static bool
complain(const char *path, const struct manifest_error *error)
{
	if (error->line != 0)
		log_line("%s:%u: %s", path, error->line, error->text);
	else
		log_line("%s: %s", path, error->text);
	return false;
}

static bool
wrong(const char *path, const char *why)
{
	struct manifest_error error = { 0 };

	snprintf(error.text, sizeof(error.text), "%s", why);
	return complain(path, &error);
}

static bool
add(struct server *server, const char *path)
{
	struct manifest_error error;
	struct service *service;
	int number;

	if (server->count == SUPERVISE_SERVICES)
		return wrong(path, "there are too many services");
	service = service_create(server);
	if (service == NULL)
		return wrong(path, "no memory");
	if (!manifest_read(path, &service->manifest, &error)) {
		service_destroy(service);
		return complain(path, &error);
	}
	number = supervise_register(&server->policy, service->manifest.name,
	    &service->manifest.policy, server->now_ns);
	if (number != (int)server->count) {
		service_destroy(service);
		return wrong(path, "key 'name': is taken");
	}
	service->number = (unsigned)number;
	server->service[server->count++] = service;
	return true;
}

static int
is_manifest(const struct dirent *entry)
{
	const char *end = strrchr(entry->d_name, '.');

	return entry->d_name[0] != '.' && end != NULL &&
	    strcmp(end, ".toml") == 0;
}

static bool
add_folder(struct server *server, const char *folder)
{
	struct dirent **entry;
	int count = scandir(folder, &entry, is_manifest, alphasort);
	bool ok = true;

	if (count < 0)
		return wrong(folder, strerror(errno));
	for (int i = 0; i < count; i++) {
		char path[4096];
		int length = snprintf(path, sizeof(path), "%s/%s", folder,
		    entry[i]->d_name);

		if (ok)
			ok = length > 0 && (size_t)length < sizeof(path) &&
			    add(server, path);
		free(entry[i]);
	}
	free(entry);
	return ok;
}

static bool
join(struct server *server, struct service *service)
{
	const struct manifest *manifest = &service->manifest;

	for (unsigned i = 0; i < manifest->needs_count; i++) {
		int other = supervise_find(&server->policy,
		    manifest->needs[i]);

		if (other < 0) {
			log_line("%s: key 'needs': there is no service '%s'",
			    manifest->name, manifest->needs[i]);
			return false;
		}
		if (!supervise_depend(&server->policy, service->number,
		    (unsigned)other)) {
			log_line("%s: key 'needs': '%s' needs it, too",
			    manifest->name, manifest->needs[i]);
			return false;
		}
	}
	return true;
}

static bool
find_main(struct server *server, const char *name)
{
	int number;

	if (name == NULL)
		return true;
	number = supervise_find(&server->policy, name);
	if (number < 0)
		return wrong(name, "there is no such service");
	server->main = server->service[number];
	return true;
}

static bool
open_all(struct server *server)
{
	for (unsigned i = 0; i < server->count; i++) {
		const char *why;

		if (!service_open(server->service[i], &why))
			return wrong(server->service[i]->manifest.name, why);
	}
	return true;
}

bool
server_load(struct server *server, const struct server_options *options)
{
	for (unsigned i = 0; i < options->path_count; i++) {
		struct stat info;
		const char *path = options->path[i];

		if (stat(path, &info) != 0)
			return wrong(path, strerror(errno));
		if (S_ISDIR(info.st_mode) ? !add_folder(server, path) :
		    !add(server, path))
			return false;
	}
	for (unsigned i = 0; i < server->count; i++)
		if (!join(server, server->service[i]))
			return false;
	if (!find_main(server, options->main))
		return false;
	return options->check || open_all(server);
}

/* SPDX-License-Identifier: MIT */
/*
 * The loop of the broker. All sockets are non-blocking, each client gets a few
 * requests handled before the next one's turn, and what a client causes is told
 * to others before its answer.
 */
#include "server.h"
#include "state.h"

#include <lib/channel/graph.h>
#include <lib/token/token.h>

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <syslog.h>
#include <unistd.h>

#define EVENTS_MAX	64
#define TURN_REQUESTS	8u	/* of one client, before the next */
#define RETRY_MS	20	/* when somebody could not be sent to */
#define EXPIRE_MS	1000	/* between looks at who waits for successors */
#define BACKLOG		128

struct server {
	struct broker broker;
	int	 signals;
	int	 spare;		/* given up to refuse when there are no others */
	bool	 ending;
};

static bool log_to_syslog;

void
log_line(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	if (log_to_syslog) {
		vsyslog(LOG_NOTICE, format, arguments);
	} else {
		fputs("bennu-broker: ", stderr);
		vfprintf(stderr, format, arguments);
		fputc('\n', stderr);
	}
	va_end(arguments);
}

static bool
fail(const char *what)
{
	log_line("%s: %s", what, strerror(errno));
	return false;
}

/* A socket that nobody serves any more is replaced. */
static bool
clear_path(const struct sockaddr_un *address)
{
	struct stat info;
	int probe;
	bool alive;

	if (lstat(address->sun_path, &info) != 0)
		return true;
	if (!S_ISSOCK(info.st_mode)) {
		errno = EEXIST;
		return false;
	}
	probe = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (probe < 0)
		return false;
	alive = connect(probe, (const struct sockaddr *)address,
	    sizeof(*address)) == 0;
	close(probe);
	errno = EADDRINUSE;
	return !alive && unlink(address->sun_path) == 0;
}

static void
make_folder(const char *path)
{
	char folder[sizeof(((struct sockaddr_un *)0)->sun_path)];
	char *slash;

	snprintf(folder, sizeof(folder), "%s", path);
	slash = strrchr(folder, '/');
	if (slash == NULL || slash == folder)
		return;
	*slash = '\0';
	/* Whether it is there now shows when the socket is bound. */
	(void)mkdir(folder, 0755);
}

static bool
open_listener(struct broker *broker, const struct server_options *options)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct epoll_event event = { .events = EPOLLIN };

	if (strlen(options->socket) >= sizeof(address.sun_path)) {
		errno = ENAMETOOLONG;
		return fail(options->socket);
	}
	memcpy(address.sun_path, options->socket, strlen(options->socket) + 1);
	make_folder(options->socket);
	if (!clear_path(&address))
		return fail(options->socket);
	broker->listener = socket(AF_UNIX,
	    SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (broker->listener < 0)
		return fail("socket");
	umask(0177);
	if (bind(broker->listener, (struct sockaddr *)&address,
	    sizeof(address)) != 0 ||
	    chmod(options->socket, options->mode & 0777) != 0 ||
	    listen(broker->listener, BACKLOG) != 0)
		return fail(options->socket);
	event.data.ptr = &broker->listener;
	return epoll_ctl(broker->epoll, EPOLL_CTL_ADD, broker->listener,
	    &event) == 0 || fail("epoll");
}

static bool
become(const char *user)
{
	struct passwd *entry;

	if (user == NULL)
		return true;
	errno = 0;
	entry = getpwnam(user);
	if (entry == NULL) {
		log_line("no user '%s'", user);
		return false;
	}
	if (setgroups(0, NULL) != 0 || setgid(entry->pw_gid) != 0 ||
	    setuid(entry->pw_uid) != 0)
		return fail(user);
	/* Nor can it come back. */
	if (entry->pw_uid != 0 && setuid(0) == 0) {
		log_line("privileges were not dropped");
		return false;
	}
	return true;
}

static bool
open_authority(struct broker *broker)
{
	size_t size = token_authority_size(OBJECTS_MAX);
	uint8_t key[16];
	struct token_config config = { .objects = OBJECTS_MAX, .key = key };
	status_t status;

	if (getrandom(key, sizeof(key), 0) != (ssize_t)sizeof(key) ||
	    getrandom(&broker->name_seed, sizeof(broker->name_seed), 0) !=
	    (ssize_t)sizeof(broker->name_seed))
		return fail("random numbers");
	broker->authority_memory = aligned_alloc(TOKEN_ALIGNMENT,
	    (size + TOKEN_ALIGNMENT - 1) / TOKEN_ALIGNMENT * TOKEN_ALIGNMENT);
	if (broker->authority_memory == NULL)
		return fail("tokens");
	status = token_authority_create(broker->authority_memory, size,
	    &config, &broker->authority);
	explicit_bzero(key, sizeof(key));
	if (status != OK)
		log_line("tokens: status %lu", status);
	return status == OK;
}

static bool
open_graph(struct broker *broker)
{
	size_t size = graph_size(OBJECTS_MAX, EDGES_MAX);

	broker->graph_memory = malloc(size);
	return broker->graph_memory != NULL && graph_create(
	    broker->graph_memory, size, OBJECTS_MAX, EDGES_MAX,
	    &broker->graph) == OK;
}

static bool
open_signals(struct server *server)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	if (sigprocmask(SIG_BLOCK, &set, NULL) != 0)
		return fail("signals");
	server->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return server->signals >= 0 || fail("signals");
}

/* By the process that is to get them: epoll remembers who asked. */
static bool
watch_signals(struct server *server)
{
	struct epoll_event event = {
		.events = EPOLLIN, .data.ptr = &server->signals,
	};

	return epoll_ctl(server->broker.epoll, EPOLL_CTL_ADD, server->signals,
	    &event) == 0 || fail("signals");
}

static void
raise_descriptors(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &limit);
}

static void
broker_clear(struct broker *broker)
{
	for (unsigned i = 0; i < NAME_BUCKETS; i++) {
		list_clear(&broker->names[i]);
		list_clear(&broker->objects[i]);
	}
	for (unsigned i = 0; i < PAIR_BUCKETS; i++)
		list_clear(&broker->pairs[i]);
	list_clear(&broker->accounts);
	list_clear(&broker->clients);
	list_clear(&broker->dirty);
	list_clear(&broker->dead);
	broker->listener = -1;
}

static bool
server_open(struct server *server, const struct server_options *options)
{
	struct broker *broker = &server->broker;

	broker_clear(broker);
	broker->policy = options->policy;
	raise_descriptors();
	server->spare = open("/dev/null", O_RDONLY | O_CLOEXEC);
	broker->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (broker->epoll < 0)
		return fail("epoll");
	if (!open_signals(server) || !open_authority(broker) ||
	    !open_graph(broker) ||
	    !open_listener(broker, options) || !become(options->user))
		return false;
	(void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	return true;
}

static void
server_close(struct server *server, const struct server_options *options)
{
	struct broker *broker = &server->broker;

	clients_end(broker);
	if (broker->listener >= 0) {
		close(broker->listener);
		/* After --user it may have to stay. */
		(void)unlink(options->socket);
	}
	if (broker->authority != NULL)
		token_authority_destroy(broker->authority);
	free(broker->authority_memory);
	free(broker->graph_memory);
	table_destroy(&broker->channels);
	table_destroy(&broker->members);
	table_destroy(&broker->lanes);
	table_destroy(&broker->segments);
	policy_destroy(broker->policy);
	close(broker->epoll);
	close(server->signals);
	close(server->spare);
	free(server);
}

/* No descriptor is left: the connection is taken and closed at once. */
static void
refuse(struct server *server)
{
	int socket;

	close(server->spare);
	socket = accept(server->broker.listener, NULL, NULL);
	if (socket >= 0)
		close(socket);
	server->spare = open("/dev/null", O_RDONLY | O_CLOEXEC);
	server->broker.refused++;
}

static void
take_connection(struct server *server)
{
	struct broker *broker = &server->broker;
	int socket = accept4(broker->listener, NULL, NULL,
	    SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (socket < 0) {
		if (errno == EMFILE || errno == ENFILE)
			refuse(server);
		return;
	}
	if (client_make(broker, socket) == NULL) {
		close(socket);
		broker->refused++;
	}
}

/* Descriptors that come with a packet are discarded by the kernel. */
static void
take_requests(struct client *client)
{
	_Alignas(struct broker_packet) uint8_t
	    bytes[sizeof(struct broker_packet)];
	ssize_t length;

	for (unsigned i = 0; i < TURN_REQUESTS; i++) {
		if (client->is_dead || client->answer_length != 0)
			return;
		length = recv(client->socket, bytes, sizeof(bytes),
		    MSG_DONTWAIT | MSG_TRUNC);
		if (length < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (length <= 0 || (size_t)length > sizeof(bytes)) {
			client->broker->malformed += length > 0;
			client_kill(client);
			return;
		}
		request_handle(client, bytes, (size_t)length);
	}
}

static void
serve_client(struct client *client, uint32_t events)
{
	if (client->is_dead)
		return;
	if ((events & EPOLLOUT) != 0)
		client_writable(client);
	if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0 &&
	    client->answer_length == 0)
		take_requests(client);
	else if ((events & (EPOLLHUP | EPOLLERR)) != 0)
		client_kill(client);
}

/* Who has something to be told and whose socket was not the reason. */
static void
retry(struct broker *broker)
{
	broker->blocked = false;
	LIST_EACH(&broker->clients, link, following) {
		struct client *client = LIST_ENTRY(link, struct client,
		    in_broker);

		if (!client->is_dead && client->answer_length != 0)
			client_writable(client);
		if (!list_is_empty(&client->news) &&
		    client->unread < BROKER_WINDOW)
			client_touch(client);
	}
}

/* Until when it may sleep. */
static int
patience_ms(const struct broker *broker)
{
	if (broker->blocked)
		return RETRY_MS;
	return broker->waiting != 0 ? EXPIRE_MS : -1;
}

static void
turn(struct server *server)
{
	struct broker *broker = &server->broker;
	struct epoll_event event[EVENTS_MAX];
	int count = epoll_wait(broker->epoll, event, EVENTS_MAX,
	    patience_ms(broker));

	for (int i = 0; i < count; i++) {
		void *what = event[i].data.ptr;

		if (what == &broker->listener)
			take_connection(server);
		else if (what == &server->signals)
			server->ending = true;
		else if (client_ended(what) != NULL)
			client_kill(client_ended(what));
		else
			serve_client(what, event[i].events);
	}
	if (broker->blocked)
		retry(broker);
	if (broker->waiting != 0)
		clients_expire(broker);
	/* The dead are told of, which may show that others are dead, too. */
	do {
		clients_bury(broker);
		clients_tell(broker);
	} while (!list_is_empty(&broker->dead));
}

static bool
announce(struct server *server, const struct server_options *options)
{
	if (options->background) {
		if (daemon(0, 0) != 0)
			return fail("daemon");
		openlog("bennu-broker", LOG_PID, LOG_DAEMON);
		log_to_syslog = true;
	}
	if (!watch_signals(server))
		return false;
	log_line("serving %s", options->socket);
	if (options->ready >= 0 && write(options->ready, "", 1) != 1)
		return fail("ready");
	return true;
}

int
server_run(const struct server_options *options)
{
	struct server *server = calloc(1, sizeof(*server));
	int result = 1;

	if (server == NULL)
		return 1;
	server->signals = -1;
	if (server_open(server, options) && announce(server, options)) {
		while (!server->ending)
			turn(server);
		log_line("ending");
		result = 0;
	}
	server_close(server, options);
	return result;
}

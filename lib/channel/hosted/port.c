/* SPDX-License-Identifier: MIT */
/* The hosted port: connecting, joining, leaving. */
#include <lib/channel/config.h>
#include <lib/channel/hand.h>
#include <lib/channel/hosted/depend.h>
#include <lib/channel/hosted/link.h>
#include <lib/channel/lane.h>
#include <lib/channel/statistics.h>

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define ANSWER_SECONDS	20	/* a broker that takes longer is as good as dead */

/* Memory that came with the answer. */
static status_t
member_map(struct hosted_member *member, const struct broker_joined *joined,
    struct link_files *files)
{
	struct hosted *hosted = member->hosted;

	if (files->count != 1u + (joined->pool_size != 0) ||
	    (joined->pool_size != 0 &&
	    joined->pool_size < lane_pool_size(&member->config)) ||
	    joined->segment_size - joined->offset < STATISTICS_PAGE) {
		link_files_close(files);
		return ERR_CORRUPT;
	}
	files->count = 0;
	member->statistics = mapping_take(&hosted->segments, joined->segment,
	    joined->segment_size, files->file[0], true);
	if (joined->pool_size != 0) {
		member->pool = mmap(NULL, joined->pool_size,
		    PROT_READ | PROT_WRITE, MAP_SHARED, files->file[1], 0);
		close(files->file[1]);
		if (member->pool == MAP_FAILED)
			member->pool = NULL;
		else
			member->pool_size = joined->pool_size;
	}
	return member->statistics != NULL &&
	    member->pool_size == joined->pool_size ? OK : ERR_NOMEM;
}

static struct hosted_member *
member_make(struct hosted *hosted, const struct broker_joined *joined)
{
	struct hosted_member *member = calloc(1, sizeof(*member));
	struct hosted_member **bucket = link_bucket(hosted, joined->member);

	if (member == NULL)
		return NULL;
	member->hosted = hosted;
	member->number = joined->member;
	member->object = joined->token.object;
	member->poll = member->knock = -1;
	event_queue_clear(&member->events);
	(void)broker_config_read(&joined->config, &member->config);
	member->next = *bucket;
	*bucket = member;
	return member;
}

static void
member_free(struct hosted_member *member)
{
	struct hosted *hosted = member->hosted;
	struct hosted_member **link = link_bucket(hosted, member->number);

	while (*link != member)
		link = &(*link)->next;
	*link = member->next;
	while (member->lanes != NULL)
		lane_release(member, member->lanes);
	while (member->events.first != NULL) {
		struct hosted_event *event = member->events.first;

		member->events.first = event->next;
		link_event_free(event);
	}
	mapping_put(&hosted->segments, member->statistics);
	if (member->pool != NULL)
		munmap(member->pool, member->pool_size);
	if (member->poll >= 0) {
		close(member->poll);
		close(member->knock);
	}
	free(member);
}

static void
tell_closed(struct hosted *hosted, uint64_t number)
{
	struct broker_packet packet = {
		.head.kind = BROKER_CLOSE, .value = number,
	};

	(void)link_call(hosted, &packet, NULL);
}

/* The pool is mapped: from here on the broker lets nobody else write it. */
static status_t
share_pool(struct hosted_member *member)
{
	struct broker_packet packet = {
		.head.kind = BROKER_MAPPED, .value = member->number,
	};

	return member->pool == NULL ? OK :
	    link_call(member->hosted, &packet, NULL);
}

static status_t
settle(struct hosted *hosted, const struct broker_joined *joined,
    struct link_files *files, struct hosted_member **out_member)
{
	struct hosted_member *member = member_make(hosted, joined);
	status_t status;

	if (member == NULL) {
		link_files_close(files);
		status = ERR_NOMEM;
	} else {
		link_adopt(hosted, member);
		status = member_map(member, joined, files);
		if (status == OK)
			status = share_pool(member);
	}
	if (status == OK) {
		*out_member = member;
		return OK;
	}
	tell_closed(hosted, joined->member);
	if (member != NULL)
		member_free(member);
	return status;
}

static void
describe(const struct hosted_member *member,
    const struct broker_joined *joined, struct channel_member *out_member)
{
	*out_member = (struct channel_member){
		.number = joined->member, .channel = joined->channel,
		.trust = joined->trust, .rights = joined->rights,
		.identity = joined->identity, .token = joined->token,
		.config = member->config,
		.pool = member->pool,
		.statistics = (void *)(member->statistics->base +
		    joined->offset),
		.port_data = (void *)member,
	};
}

static status_t
join(struct hosted *hosted, struct broker_packet *packet,
    struct channel_member *out_member)
{
	struct hosted_member *member = NULL;
	struct link_files files = { 0 };
	struct broker_joined joined;
	status_t status;

	pthread_mutex_lock(&hosted->lock);
	/* Who it becomes is not known before its first events. */
	hosted->joining = true;
	status = link_call(hosted, packet, &files);
	joined = packet->joined;
	if (status == OK)
		status = settle(hosted, &joined, &files, &member);
	link_adopt(hosted, NULL);
	hosted->joining = false;
	pthread_mutex_unlock(&hosted->lock);
	if (status != OK)
		return status;
	/* The first look at the generation shall find it changed. */
	member->seen = UINT64_MAX;
	describe(member, &joined, out_member);
	return OK;
}

static status_t
fill_join(const char *name, const struct channel_options *options,
    const struct token *token, struct broker_join *out_join)
{
	if (!channel_name_valid(name))
		return ERR_ARG;
	*out_join = (struct broker_join){
		.role = options->role, .serializer = options->serializer,
		.schema = options->schema, .groups = options->groups,
		.has_token = token != NULL,
		.kept = options->keeper != NULL,
	};
	memcpy(out_join->name, name, strlen(name) + 1);
	if (token != NULL)
		out_join->token = *token;
	return OK;
}

static status_t
hosted_create(struct channel_domain *domain, const char *name,
    const struct channel_config *config,
    const struct channel_options *options, const struct token *owner,
    struct channel_member *out_member)
{
	struct broker_packet packet = { .head.kind = BROKER_CREATE };
	status_t status = fill_join(name, options, owner, &packet.join);

	if (status != OK)
		return status;
	broker_config_write(config, &packet.join.config);
	return join(hosted_of(domain), &packet, out_member);
}

static status_t
hosted_open(struct channel_domain *domain, const char *name,
    const struct channel_options *options, const struct token *holder,
    struct channel_member *out_member)
{
	struct broker_packet packet = { .head.kind = BROKER_OPEN };
	status_t status = fill_join(name, options, holder, &packet.join);

	if (status != OK)
		return status;
	return join(hosted_of(domain), &packet, out_member);
}

static status_t
hosted_resume(struct channel_domain *domain, uint64_t number,
    const struct token *token, const struct channel_options *options,
    struct channel_member *out_member)
{
	struct broker_packet packet = {
		.head.kind = BROKER_RESUME,
		.resume = {
			.member = number, .token = *token,
			.role = options->role,
		},
	};

	return join(hosted_of(domain), &packet, out_member);
}

static status_t
hosted_enter(struct channel_domain *domain, struct channel_member *member)
{
	struct broker_packet packet = {
		.head.kind = BROKER_MAPPED, .value = member->number,
	};

	return link_call_locked(hosted_of(domain), &packet, NULL);
}

static void
hosted_close(struct channel_domain *domain, struct channel_member *member)
{
	struct hosted *hosted = hosted_of(domain);
	struct hosted_member *own = member->port_data;

	pthread_mutex_lock(&hosted->lock);
	tell_closed(hosted, own->number);
	member_free(own);
	pthread_mutex_unlock(&hosted->lock);
	*member = (struct channel_member){ 0 };
}

static unsigned
hosted_rights(struct channel_domain *domain, struct channel_member *member,
    const struct token *token)
{
	const struct hosted_member *own = member->port_data;
	struct broker_packet packet = {
		.head.kind = BROKER_RIGHTS, .token.token = *token,
	};

	if (token->object != own->object ||
	    link_call_locked(hosted_of(domain), &packet, NULL) != OK)
		return 0;
	return packet.token.rights & TOKEN_ALL;
}

static void *
hosted_allocate(struct channel_domain *domain, size_t size)
{
	size_t rounded = (size + 63) & ~(size_t)63;
	void *memory;

	if (rounded < size)
		return NULL;
	memory = aligned_alloc(64, rounded);
	if (memory != NULL)
		memset(memory, 0, rounded);
	return memory;
}

static void
hosted_release(struct channel_domain *domain, void *memory, size_t size)
{
	free(memory);
}

const struct channel_port hosted_port = {
	.create = hosted_create,
	.open = hosted_open,
	.resume = hosted_resume,
	.enter = hosted_enter,
	.close = hosted_close,
	.next_event = hosted_next_event,
	.drop_lane = hosted_drop_lane,
	.sleep = hosted_sleep,
	.wake = hosted_wake,
	.rights = hosted_rights,
	.descriptor = hosted_descriptor,
	.quiet = hosted_quiet,
	.add_dep = channel_hosted_depend,
	.remove_dep = hosted_remove_dep,
	.hand = channel_hand_host,
	.now_ns = hosted_now_ns,
	.allocate = hosted_allocate,
	.release = hosted_release,
};

static uint32_t
count_cpus(void)
{
	cpu_set_t set;

	if (sched_getaffinity(0, sizeof(set), &set) != 0)
		return 1;
	return (uint32_t)CPU_COUNT(&set);
}

static bool
connect_to(struct hosted *hosted, const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct timeval limit = { .tv_sec = ANSWER_SECONDS };

	if (path == NULL)
		path = getenv("BENNU_BROKER");
	if (path == NULL)
		path = BROKER_SOCKET;
	if (strlen(path) >= sizeof(address.sun_path))
		return false;
	memcpy(address.sun_path, path, strlen(path) + 1);
	hosted->socket = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (hosted->socket < 0)
		return false;
	return connect(hosted->socket, (struct sockaddr *)&address,
	    sizeof(address)) == 0 &&
	    setsockopt(hosted->socket, SOL_SOCKET, SO_RCVTIMEO, &limit,
	    sizeof(limit)) == 0 &&
	    setsockopt(hosted->socket, SOL_SOCKET, SO_SNDTIMEO, &limit,
	    sizeof(limit)) == 0;
}

static status_t
greet(struct hosted *hosted)
{
	struct broker_packet packet = {
		.head.kind = BROKER_HELLO, .value = BROKER_VERSION,
	};
	struct link_files files;
	void *page;
	status_t status = link_call(hosted, &packet, &files);

	if (status != OK)
		return status;
	if (files.count != 1) {
		link_files_close(&files);
		return ERR_CORRUPT;
	}
	page = mmap(NULL, sizeof(*hosted->page), PROT_READ, MAP_SHARED,
	    files.file[0], 0);
	link_files_close(&files);
	if (page == MAP_FAILED)
		return ERR_NOMEM;
	hosted->page = page;
	return OK;
}

status_t
channel_domain_hosted(const char *path, struct channel_domain **out_domain)
{
	struct hosted *hosted = calloc(1, sizeof(*hosted));
	status_t status = ERR_GONE;

	if (hosted == NULL)
		return ERR_NOMEM;
	hosted->socket = -1;
	hosted->process = getpid();
	hosted->has_waitv = wait_has_waitv();
	event_queue_clear(&hosted->early);
	pthread_mutex_init(&hosted->lock, NULL);
	if (connect_to(hosted, path))
		status = greet(hosted);
	if (status != OK) {
		channel_domain_hosted_close(&hosted->domain);
		return status;
	}
	hosted->domain = (struct channel_domain){
		.port = &hosted_port,
		.generation = &hosted->page->generation,
		.cpus = count_cpus(), .context = hosted,
	};
	*out_domain = &hosted->domain;
	return OK;
}

void
channel_domain_hosted_close(struct channel_domain *domain)
{
	struct hosted *hosted = hosted_of(domain);

	if (hosted->socket >= 0)
		close(hosted->socket);
	if (hosted->page != NULL)
		munmap((void *)(uintptr_t)hosted->page,
		    sizeof(*hosted->page));
	pthread_mutex_destroy(&hosted->lock);
	free(hosted);
}

bool
channel_hosted_is_cut(struct channel_domain *domain)
{
	struct hosted *hosted = hosted_of(domain);
	bool is_cut;

	pthread_mutex_lock(&hosted->lock);
	link_drain(hosted);
	is_cut = hosted->is_cut;
	pthread_mutex_unlock(&hosted->lock);
	return is_cut;
}

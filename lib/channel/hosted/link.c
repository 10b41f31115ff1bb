/* SPDX-License-Identifier: MIT */
/*
 * The connection to the broker. Whoever reads from it reads for all: events are
 * given to the queues of their members, an answer to the one who waits for it.
 * One request is under way at a time.
 */
#include <lib/channel/hosted/link.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

void
link_files_close(struct link_files *files)
{
	for (unsigned i = 0; i < files->count; i++)
		close(files->file[i]);
	files->count = 0;
}

void
link_event_free(struct hosted_event *event)
{
	for (unsigned i = 0; i < event->files; i++)
		close(event->file[i]);
	free(event);
}

struct hosted_member **
link_bucket(struct hosted *hosted, uint64_t number)
{
	/* The lower half of a number is the place in the broker's table. */
	return &hosted->members[number % LINK_MEMBER_BUCKETS];
}

struct hosted_member *
link_member(struct hosted *hosted, uint64_t number)
{
	struct hosted_member *member = *link_bucket(hosted, number);

	while (member != NULL && member->number != number)
		member = member->next;
	return member;
}

static void
take_files(struct msghdr *message, struct link_files *out_files)
{
	for (struct cmsghdr *head = CMSG_FIRSTHDR(message); head != NULL;
	    head = CMSG_NXTHDR(message, head)) {
		size_t bytes = head->cmsg_len - CMSG_LEN(0);

		if (head->cmsg_level != SOL_SOCKET ||
		    head->cmsg_type != SCM_RIGHTS ||
		    bytes > sizeof(out_files->file))
			continue;
		memcpy(out_files->file, CMSG_DATA(head), bytes);
		out_files->count = (unsigned)(bytes / sizeof(int));
	}
}

/* ERR_EMPTY: nothing there, and not asked to wait. */
static status_t
receive(struct hosted *hosted, bool wait, struct broker_packet *out_packet,
    struct link_files *out_files)
{
	_Alignas(struct cmsghdr) char control[
	    CMSG_SPACE(BROKER_DESCRIPTORS * sizeof(int))];
	struct broker_packet packet;
	struct iovec bytes = { &packet, sizeof(packet) };
	struct msghdr message = {
		.msg_iov = &bytes, .msg_iovlen = 1,
		.msg_control = control, .msg_controllen = sizeof(control),
	};
	ssize_t length;

	out_files->count = 0;
	do
		length = recvmsg(hosted->socket, &message,
		    MSG_CMSG_CLOEXEC | (wait ? 0 : MSG_DONTWAIT));
	while (length < 0 && errno == EINTR);
	if (length < 0 && errno == EAGAIN && !wait)
		return ERR_EMPTY;
	if (length <= 0)
		return ERR_GONE;
	take_files(&message, out_files);
	if ((message.msg_flags & MSG_TRUNC) != 0 ||
	    broker_check_answer(&packet, (size_t)length, out_packet) != OK) {
		link_files_close(out_files);
		return ERR_GONE;
	}
	return OK;
}

static void
cut(struct hosted *hosted)
{
	hosted->is_cut = true;
}

static bool
send_packet(struct hosted *hosted, struct broker_packet *packet)
{
	size_t length = broker_request_length(packet->head.kind);
	ssize_t sent;

	do
		sent = send(hosted->socket, packet, length, MSG_NOSIGNAL);
	while (sent < 0 && errno == EINTR);
	if (sent == (ssize_t)length)
		return true;
	cut(hosted);
	return false;
}

static void
acknowledge(struct hosted *hosted)
{
	struct broker_packet packet = {
		.head.kind = BROKER_ACK, .value = hosted->unacknowledged,
	};

	if (hosted->unacknowledged == 0 || hosted->is_cut)
		return;
	hosted->unacknowledged = 0;
	(void)send_packet(hosted, &packet);
}

static void
enqueue(struct event_queue *queue, struct hosted_event *event)
{
	event->next = NULL;
	*queue->end = event;
	queue->end = &event->next;
}

static void
member_event(struct hosted_member *member, struct hosted_event *event)
{
	enqueue(&member->events, event);
	if (member->knock >= 0)
		(void)!write(member->knock, &(uint64_t){ 1 },
		    sizeof(uint64_t));
}

/* The member of an event is where its body begins. */
static uint64_t
event_member(const struct broker_packet *packet)
{
	return packet->head.kind == BROKER_EVENT_REVOKED ? packet->value :
	    packet->lane.member;
}

static void
dispatch(struct hosted *hosted, const struct broker_packet *packet,
    struct link_files *files)
{
	struct hosted_member *member = link_member(hosted,
	    event_member(packet));
	struct hosted_event *event = malloc(sizeof(*event));

	hosted->unacknowledged++;
	/* Without memory for it this process is blind: others must know. */
	if (event == NULL) {
		link_files_close(files);
		cut(hosted);
		return;
	}
	event->packet = *packet;
	event->files = files->count;
	memcpy(event->file, files->file, sizeof(event->file));
	files->count = 0;
	if (member != NULL)
		member_event(member, event);
	else if (hosted->joining)
		enqueue(&hosted->early, event);
	else
		link_event_free(event);	/* of a member that was closed */
	if (hosted->unacknowledged >= LINK_ACK_AFTER)
		acknowledge(hosted);
}

static bool
is_event(const struct broker_packet *packet)
{
	return packet->head.kind >= BROKER_EVENT_LANE;
}

status_t
link_call(struct hosted *hosted, struct broker_packet *packet,
    struct link_files *out_files)
{
	struct link_files files;
	uint32_t kind = packet->head.kind;
	status_t status;

	if (hosted->process != getpid())
		return ERR_STATE;
	packet->head.number = ++hosted->last_request;
	if (hosted->is_cut || !send_packet(hosted, packet))
		return ERR_GONE;
	for (;;) {
		status = receive(hosted, true, packet, &files);
		if (status != OK)
			break;
		if (!is_event(packet)) {
			if (packet->head.kind == kind &&
			    packet->head.number == hosted->last_request)
				break;
			status = ERR_GONE;
			link_files_close(&files);
			break;
		}
		dispatch(hosted, packet, &files);
	}
	if (status != OK) {
		cut(hosted);
		return ERR_GONE;
	}
	acknowledge(hosted);
	if (out_files != NULL && packet->head.status == OK)
		*out_files = files;
	else
		link_files_close(&files);
	return packet->head.status;
}

status_t
link_call_locked(struct hosted *hosted, struct broker_packet *packet,
    struct link_files *out_files)
{
	status_t status;

	pthread_mutex_lock(&hosted->lock);
	status = link_call(hosted, packet, out_files);
	pthread_mutex_unlock(&hosted->lock);
	return status;
}

void
link_tell(struct hosted *hosted, struct broker_packet *packet)
{
	if (hosted->process == getpid() && !hosted->is_cut)
		(void)send_packet(hosted, packet);
}

void
link_drain(struct hosted *hosted)
{
	struct broker_packet packet;
	struct link_files files;
	status_t status = OK;

	if (hosted->process != getpid())
		return;
	while (!hosted->is_cut) {
		status = receive(hosted, false, &packet, &files);
		if (status != OK)
			break;
		/* No answer is due. */
		if (!is_event(&packet)) {
			link_files_close(&files);
			status = ERR_GONE;
			break;
		}
		dispatch(hosted, &packet, &files);
	}
	if (status == ERR_GONE)
		cut(hosted);
	acknowledge(hosted);
}

void
link_adopt(struct hosted *hosted, struct hosted_member *member)
{
	struct hosted_event *event = hosted->early.first;

	event_queue_clear(&hosted->early);
	while (event != NULL) {
		struct hosted_event *next = event->next;

		if (member != NULL &&
		    event_member(&event->packet) == member->number)
			member_event(member, event);
		else
			link_event_free(event);
		event = next;
	}
}

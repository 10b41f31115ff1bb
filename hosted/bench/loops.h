/* SPDX-License-Identifier: MIT */
/*
 * The four loops of a peer, made from two functions of its file,
 *
 *	static bool NAME_put(struct NAME *end, const void *buffer, size_t size);
 *	static bool NAME_get(struct NAME *end, void *buffer, size_t size);
 *
 * by PEER_LOOPS(NAME). Macros, so that the calls inside the loops are direct.
 */
#pragma once

#include "bench.h"

#define PEER_ROUND_TRIP_LOOPS(peer) \
	static bool \
	peer##_round_trip(void *end, const struct bench_job *job) \
	{ \
		for (uint64_t i = 0; i < job->count; i++) { \
			bench_number(job->buffer, i); \
			if (!peer##_put(end, job->buffer, job->size) || \
			    !peer##_get(end, job->buffer, job->size) || \
			    !bench_has_number(job->buffer, i)) \
				return false; \
		} \
		return true; \
	} \
	static bool \
	peer##_serve(void *end, const struct bench_job *job) \
	{ \
		for (uint64_t i = 0; i < job->count; i++) \
			if (!peer##_get(end, job->buffer, job->size) || \
			    !bench_has_number(job->buffer, i) || \
			    !peer##_put(end, job->buffer, job->size)) \
				return false; \
		return true; \
	}

#define PEER_STREAM_LOOPS(peer) \
	static bool \
	peer##_send(void *end, const struct bench_job *job) \
	{ \
		for (uint64_t i = 0; i < job->count; i++) { \
			bench_number(job->buffer, i); \
			if (!peer##_put(end, job->buffer, job->size)) \
				return false; \
		} \
		return true; \
	} \
	static bool \
	peer##_receive(void *end, const struct bench_job *job) \
	{ \
		for (uint64_t i = 0; i < job->count; i++) \
			if (!peer##_get(end, job->buffer, job->size) || \
			    !bench_has_number(job->buffer, i)) \
				return false; \
		return true; \
	}

#define PEER_LOOPS(peer)	PEER_ROUND_TRIP_LOOPS(peer) \
				PEER_STREAM_LOOPS(peer)

/* Fields of struct bench_peer. */
#define PEER_ROUND_TRIP_FIELDS(peer) \
	.round_trip = peer##_round_trip, .serve = peer##_serve
#define PEER_FIELDS(peer) \
	PEER_ROUND_TRIP_FIELDS(peer), .send = peer##_send, \
	.receive = peer##_receive

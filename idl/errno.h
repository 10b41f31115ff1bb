/* SPDX-License-Identifier: MIT */
/*
 * Error numbers in replies of services that serve POSIX programs. The values
 * are those of POSIX programs on x86-64, so that the libOS can pass them on.
 */
#pragma once

#define E_PERM		1
#define E_NOENT		2
#define E_SRCH		3
#define E_INTR		4
#define E_IO		5
#define E_NXIO		6
#define E_2BIG		7
#define E_NOEXEC	8
#define E_BADF		9
#define E_CHILD		10
#define E_AGAIN		11
#define E_NOMEM		12
#define E_ACCES		13
#define E_FAULT		14
#define E_BUSY		16
#define E_EXIST		17
#define E_XDEV		18
#define E_NODEV		19
#define E_NOTDIR	20
#define E_ISDIR		21
#define E_INVAL		22
#define E_NFILE		23
#define E_CANCELED		125
#define E_MFILE		24
#define E_NOTTY		25
#define E_TXTBSY	26
#define E_FBIG		27
#define E_NOSPC		28
#define E_SPIPE		29
#define E_ROFS		30
#define E_MLINK		31
#define E_PIPE		32
#define E_DOM		33
#define E_RANGE		34
#define E_DEADLK	35
#define E_NAMETOOLONG	36
#define E_NOLCK		37
#define E_NOSYS		38
#define E_NOTEMPTY	39
#define E_LOOP		40
#define E_REMOTE	66	/* the path goes on in another server */
#define E_OVERFLOW	75
#define E_LIBBAD	80
#define E_NOTSUP	95
#define E_AFNOSUPPORT	97
#define E_TIMEDOUT	110
#define E_STALE		116
#define E_KEYREVOKED	128	/* renounced: adopt it first (idl/storage.capnp) */

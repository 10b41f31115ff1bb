/* SPDX-License-Identifier: MIT */
/* Registers of a 16550 UART, as offsets from its base port. */
#pragma once

#define UART_DATA		0	/* receive and transmit */
#define UART_INTERRUPTS		1	/* enable */
#define UART_CAUSE		2	/* read: pending interrupt */
#define UART_FIFO_CONTROL	2	/* write */
#define UART_LINE_CONTROL	3
#define UART_MODEM_CONTROL	4
#define UART_LINE_STATUS	5
#define UART_MODEM_STATUS	6

#define UART_INTERRUPT_RECEIVE	0x01u
#define UART_INTERRUPT_TRANSMIT	0x02u

#define UART_CAUSE_NONE		0x01u	/* nothing pending */

#define UART_FIFO_ENABLE	0x01u	/* receive trigger level: one byte */
#define UART_LINE_8N1		0x03u
#define UART_LINE_DIVISOR	0x80u	/* registers 0 and 1: divisor */
/* Terminal ready, request to send, and the switch of the interrupt line. */
#define UART_MODEM_ON		0x0bu

#define UART_STATUS_RECEIVED	0x01u
#define UART_STATUS_ROOM	0x20u	/* transmit FIFO is empty */
#define UART_STATUS_IDLE	0x40u	/* and the shift register too */

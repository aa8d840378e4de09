/* SPDX-License-Identifier: Apache-2.0
 * Tells the service manager how it goes, where there is one: systemd's Type=notify.
 * Source: sd_notify(3): a datagram to the unix socket that NOTIFY_SOCKET names.
 */
#ifndef PS_HOST_CLI_NOTIFY_H
#define PS_HOST_CLI_NOTIFY_H

/* "READY=1", "STOPPING=1". Nobody may be listening; nothing is waited for. */
void ps_notify(const char *state);

#endif

/* tests/agent/old.c - what an older libmicrohttpd says of its version. Loaded
 * before the real one, as a second entry of LD_PRELOAD.
 *
 * SPDX-License-Identifier: MIT
 */
__attribute__((visibility("default"))) const char *MHD_get_version(void);

const char *MHD_get_version(void)
{
	return "0.9.73";
}

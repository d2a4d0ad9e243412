/* tests/e2e_admin_artifacts.c - the artifacts that the admin server lists: how
 * they are downloaded, pinned and deleted.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/e2e_admin_unix_client.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <zlib.h>

#include "core/artifact.h"
#include "core/run_json.h"

/* Where artifact 1 lies. */
static void path_of_first(char *path, size_t size)
{
	struct answer a;
	char name[256];

	ask(&a, "HEAD", "/artifacts/1.tailbox");
	ck_assert_int_eq(sscanf(strstr(a.head.p, "filename=\""),
	                        "filename=\"%255[^\"]\"", name), 1);
	forget(&a);
	snprintf(path, size, "%s/artifacts/%s", folder, name);
}

/* What the native form of it is as Run JSON: made by the same writer, but
 * neither through HTTP nor through the stream. */
static struct bytes as_json(const struct bytes *native, size_t *requests)
{
	int fd = memfd_create("native", MFD_CLOEXEC);
	int out = memfd_create("json", MFD_CLOEXEC);
	struct tailbox__error err = TAILBOX__ERROR_INIT;
	struct tailbox__run *run;
	int rc;

	ck_assert_int_eq(write(fd, native->p, native->n), (ssize_t)native->n);
	lseek(fd, 0, SEEK_SET);
	rc = tailbox__artifact_read(fd, &run, &err);
	ck_assert_msg(rc == 0, "%s", err.text);
	*requests = run->requests.count;
	ck_assert_int_eq(tailbox__run_json_write(run, out), 0);
	tailbox__run_destroy(run);
	lseek(out, 0, SEEK_SET);
	close(fd);
	return hear(out);
}

static struct bytes gunzip(const struct bytes *in)
{
	struct bytes out = { NULL, 0 };
	char buf[65536];
	z_stream z;
	int rc;

	memset(&z, 0, sizeof(z));
	ck_assert_int_eq(inflateInit2(&z, 15 + 16), Z_OK);
	z.next_in = (Bytef *)in->p;
	z.avail_in = (uInt)in->n;
	do {
		z.next_out = (Bytef *)buf;
		z.avail_out = sizeof(buf);
		rc = inflate(&z, Z_NO_FLUSH);
		ck_assert(rc == Z_OK || rc == Z_STREAM_END);
		append(&out, buf, sizeof(buf) - z.avail_out);
	} while (rc != Z_STREAM_END);
	ck_assert_uint_eq(z.avail_in, 0);
	inflateEnd(&z);
	return out;
}

static void same(const struct bytes *a, const struct bytes *b)
{
	ck_assert_uint_eq(a->n, b->n);
	ck_assert_int_eq(memcmp(a->p, b->p, a->n), 0);
}

/* The value of a header, quotes and all. */
static void header_of(const struct answer *a, const char *name, char *to,
                      size_t room)
{
	const char *p = strstr(a->head.p, name);

	ck_assert_msg(p != NULL, "no %s in %s", name, a->head.p);
	p += strlen(name) + 2;
	snprintf(to, room, "%.*s", (int)strcspn(p, "\r\n"), p);
}

/* --- downloads --------------------------------------------------------- */

/* One window of 1000 requests in every form that it has. */
struct forms {
	struct answer native, json, gzip;
	char name[256]; /* of its file */
};

static void download(struct forms *f)
{
	char text[300];

	capture(1000, "/artifacts/1");
	ask(&f->native, "GET", "/artifacts/1.tailbox");
	ck_assert_int_eq(f->native.status, 200);
	header_of(&f->native, "Content-Disposition", text, sizeof(text));
	ck_assert_int_eq(sscanf(text, "attachment; filename=\"%255[^\"]\"",
	                        f->name), 1);
	ask(&f->json, "GET", "/artifacts/1");
	ck_assert_int_eq(f->json.status, 200);
	ask_with(&f->gzip, "GET", "/artifacts/1", "Accept-Encoding: br, gzip",
	         NULL, 0);
	ck_assert_int_eq(f->gzip.status, 200);
}

static void forget_forms(struct forms *f)
{
	forget(&f->native);
	forget(&f->json);
	forget(&f->gzip);
}

START_TEST(window_is_downloaded_in_both_forms)
{
	struct bytes want, plain;
	struct answer a;
	struct forms f;
	char target[600];
	size_t requests;

	download(&f);
	has(f.native.head.p, "Content-Type: application/octet-stream");
	ck_assert_int_eq(strncmp(f.name, "shop-", 5), 0);
	ck_assert_str_eq(f.name + strlen(f.name) - 10, "-1.tailbox");
	want = as_json(&f.native.body, &requests);
	ck_assert_uint_eq(requests, 1000);

	has(f.json.head.p, "Content-Type: application/json");
	has(f.json.head.p, "Vary: Accept-Encoding");
	has_not(f.json.head.p, "Content-Encoding");
	same(&f.json.body, &want);

	has(f.gzip.head.p, "Content-Encoding: gzip");
	ck_assert_uint_lt(f.gzip.body.n, f.json.body.n / 4);
	plain = gunzip(&f.gzip.body);
	same(&plain, &want);

	/* By its full name. */
	f.name[strlen(f.name) - strlen(".tailbox")] = '\0';
	snprintf(target, sizeof(target), "/artifacts/%s", f.name);
	ask(&a, "GET", target);
	same(&a.body, &want);
	forget(&a);
	snprintf(target, sizeof(target), "/artifacts/%s.tailbox", f.name);
	ask(&a, "GET", target);
	same(&a.body, &f.native.body);
	forget(&a);
	forget_forms(&f);
	free(want.p);
	free(plain.p);
}
END_TEST

/* Three tags; each is good for its own form. */
START_TEST(each_form_has_a_tag)
{
	char tag[64], gzip_tag[64], native_tag[64], text[128];
	struct answer a;
	struct forms f;

	download(&f);
	header_of(&f.json, "ETag", tag, sizeof(tag));
	header_of(&f.gzip, "ETag", gzip_tag, sizeof(gzip_tag));
	header_of(&f.native, "ETag", native_tag, sizeof(native_tag));
	ck_assert_str_ne(tag, gzip_tag);
	ck_assert_str_ne(tag, native_tag);
	snprintf(text, sizeof(text), "If-None-Match: \"x\", %s", tag);
	ask_with(&a, "GET", "/artifacts/1", text, NULL, 0);
	ck_assert_int_eq(a.status, 304);
	ck_assert_uint_eq(a.body.n, 0);
	has(a.head.p, tag);
	forget(&a);
	snprintf(text, sizeof(text), "If-None-Match: %s", gzip_tag);
	ask_with(&a, "GET", "/artifacts/1", text, NULL, 0);
	ck_assert_int_eq(a.status, 200);
	forget(&a);
	snprintf(text, sizeof(text), "If-None-Match: %s", native_tag);
	ask_with(&a, "GET", "/artifacts/1.tailbox", text, NULL, 0);
	ck_assert_int_eq(a.status, 304);
	forget(&a);
	ask(&a, "HEAD", "/artifacts/1");
	ck_assert_int_eq(a.status, 200);
	ck_assert_uint_eq(a.body.n, 0);
	has(a.head.p, tag);
	forget(&a);
	ask(&a, "HEAD", "/artifacts/1.tailbox");
	has(a.head.p, native_tag);
	snprintf(text, sizeof(text), "Content-Length: %zu\r", f.native.body.n);
	has(a.head.p, text);
	forget(&a);
	forget_forms(&f);
}
END_TEST

START_TEST(artifact_is_listed_until_it_is_deleted)
{
	struct forms f;
	char text[128];

	download(&f);
	f.name[strlen(f.name) - strlen(".tailbox")] = '\0';
	snprintf(text, sizeof(text), "\"bytes\": %zu,", f.native.body.n);
	expect("GET", "/artifacts", 200, text);
	expect("GET", "/artifacts", 200, "\"requests\": 1000,");
	expect("GET", "/artifacts", 200, "\"ours\": true");
	expect("GET", "/artifacts?format=text", 200, f.name);

	expect("DELETE", "/artifacts/1", 200, "\"result\": \"deleted\"");
	expect("GET", "/artifacts/1", 404, "not_found");
	expect("DELETE", "/artifacts/1", 404, "not_found");
	expect("GET", "/artifacts", 200, "\"artifacts\": []");
	forget_forms(&f);
}
END_TEST

START_TEST(native_file_comes_in_parts)
{
	struct answer whole, a;
	char tag[64], text[128];

	capture(100, "/artifacts/1");
	ask(&whole, "GET", "/artifacts/1.tailbox");
	has(whole.head.p, "Accept-Ranges: bytes");
	header_of(&whole, "ETag", tag, sizeof(tag));
	ask_with(&a, "GET", "/artifacts/1.tailbox", "Range: bytes=100-199",
	         NULL, 0);
	ck_assert_int_eq(a.status, 206);
	ck_assert_uint_eq(a.body.n, 100);
	ck_assert_int_eq(memcmp(a.body.p, whole.body.p + 100, 100), 0);
	snprintf(text, sizeof(text), "Content-Range: bytes 100-199/%zu\r",
	         whole.body.n);
	has(a.head.p, text);
	forget(&a);
	snprintf(text, sizeof(text), "Range: bytes=%zu-", whole.body.n);
	ask_with(&a, "GET", "/artifacts/1.tailbox", text, NULL, 0);
	ck_assert_int_eq(a.status, 416);
	snprintf(text, sizeof(text), "Content-Range: bytes */%zu\r",
	         whole.body.n);
	has(a.head.p, text);
	forget(&a);
	/* Begun with another file. */
	ask_with(&a, "GET", "/artifacts/1.tailbox",
	         "Range: bytes=100-199\r\nIf-Range: \"other\"", NULL, 0);
	ck_assert_int_eq(a.status, 200);
	same(&a.body, &whole.body);
	forget(&a);
	snprintf(text, sizeof(text), "Range: bytes=100-199\r\nIf-Range: %s",
	         tag);
	ask_with(&a, "GET", "/artifacts/1.tailbox", text, NULL, 0);
	ck_assert_int_eq(a.status, 206);
	forget(&a);
	forget(&whole);
}
END_TEST

START_TEST(damaged_artifact_is_an_error)
{
	unsigned char bytes[8];
	char path[600];
	off_t at;
	int fd;

	capture(10, "/artifacts/1");
	path_of_first(path, sizeof(path));
	fd = open(path, O_RDWR | O_CLOEXEC);
	ck_assert_int_ge(fd, 0);
	/* In the middle: the header, and with it the list, stay good. Each
	 * bit is turned, whatever it was. */
	at = lseek(fd, 0, SEEK_END) / 2;
	ck_assert_int_eq(pread(fd, bytes, sizeof(bytes), at), sizeof(bytes));
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] ^= 0xff;
	ck_assert_int_eq(pwrite(fd, bytes, sizeof(bytes), at), sizeof(bytes));
	close(fd);
	expect("GET", "/artifacts/1", 500, "artifact_unreadable");
	expect("GET", "/healthz", 200, "ok");
	/* Nearly nothing is left of its head: it has a name still. */
	ck_assert_int_eq(truncate(path, 10), 0);
	expect("GET", "/artifacts/1", 500, "artifact_unreadable");
	expect("POST", "/artifacts/1/pin", 500, "artifact_unreadable");
	expect("DELETE", "/artifacts/1", 200, "\"result\": \"deleted\"");
	ck_assert_int_eq(access(path, F_OK), -1);
	expect("DELETE", "/artifacts/1", 404, "no artifact 1");
}
END_TEST

/* --- what is kept ------------------------------------------------------ */

START_TEST(artifacts_are_pinned)
{
	capture(1, "/artifacts/1");
	expect("POST", "/artifacts/1/pin", 200, "\"pinned\": true");
	expect("GET", "/artifacts", 200, "\"pinned\": true");
	expect("GET", "/artifacts?format=text", 200, "  pinned");
	expect("POST", "/artifacts/1.tailbox/pin?on=0&format=text", 200,
	       "unpinned shop-");
	expect("GET", "/artifacts", 200, "\"pinned\": false");
	expect("POST", "/artifacts/1/pin?on=2", 400, "takes 0 or 1");
	expect("POST", "/artifacts/9/pin", 404, "no artifact 9");
	expect("POST", "/artifacts/../1/pin", 400, "bad_id");
	expect("POST", "/artifacts/1/pin/pin", 400, "bad_id");
	expect("POST", "/artifacts/1/nip", 404, "/artifacts/ID/pin");
	expect("POST", "/artifacts//pin", 404, "/artifacts/ID/pin");
	expect("POST", "/artifacts/1", 404, "/artifacts/ID/pin");
	expect("PUT", "/artifacts/1/pin", 405, "POST");
	expect("GET", "/status", 200, "\"max_count\": 100");
	expect("GET", "/status?format=text", 200, "100 artifacts, 256");
}
END_TEST

/* Listed are 1000; that there are more is told. */
START_TEST(older_artifacts_are_counted)
{
	char from[600], to[600];

	capture(1, "/artifacts/1");
	expect("GET", "/artifacts", 200, "\"older\": 0,");
	path_of_first(from, sizeof(from));
	for (int i = 1; i <= 1001; i++) {
		snprintf(to, sizeof(to),
		         "%s/artifacts/shop-20200101T000000Z-%d.tailbox",
		         folder, i);
		ck_assert_int_eq(link(from, to), 0);
	}
	expect("GET", "/artifacts", 200, "\"older\": 2,");
	expect("GET", "/artifacts?format=text", 200, ", and 2 older ones");
}
END_TEST

int main(void)
{
	Suite *s = suite_create("admin_artifacts");
	TCase *t = tcase_create("http");

	tcase_add_checked_fixture(t, start_recorder, stop);
	tcase_set_timeout(t, 60);
	tcase_add_test(t, window_is_downloaded_in_both_forms);
	tcase_add_test(t, each_form_has_a_tag);
	tcase_add_test(t, artifact_is_listed_until_it_is_deleted);
	tcase_add_test(t, native_file_comes_in_parts);
	tcase_add_test(t, damaged_artifact_is_an_error);
	tcase_add_test(t, artifacts_are_pinned);
	tcase_add_test(t, older_artifacts_are_counted);
	suite_add_tcase(s, t);
	return run_suite(s);
}

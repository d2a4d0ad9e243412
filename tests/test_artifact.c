/* tests/test_artifact.c - the native artifact: what was written is what is
 * loaded, and what cannot be read is an error.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <fcntl.h>

#include "tests/artifact_fixture.h"

static struct tailbox__run *(*const samples[])(void) = {
	sample_empty, sample_tiny, sample_example, sample_full,
};

START_TEST(run_comes_back_as_it_was)
{
	struct tailbox__run *run = samples[_i](), *back;
	size_t len, json_len, back_len;
	char *bytes = sample_native(run, &len);
	char *json = sample_json(run, &json_len);

	ck_assert_int_eq(load_bytes(bytes, len, &back, NULL), 0);
	char *back_json = sample_json(back, &back_len);
	sample_assert_same(back_json, back_len, json, json_len);
	ck_assert_uint_eq(tailbox__run_str_count(back),
	                  tailbox__run_str_count(run));

	/* Bytes again: what JSON leaves out came back, too. */
	size_t again_len;
	char *again = sample_native(back, &again_len);
	ck_assert_uint_eq(again_len, len);
	ck_assert(!memcmp(again, bytes, len));

	/* New strings go on after the loaded ones. */
	uint32_t count = tailbox__run_str_count(back);
	ck_assert_uint_eq(tailbox__run_cstr(back, "a new text"), count + 1);
	ck_assert_uint_eq(tailbox__run_cstr(back, "shop") != 0, 1);

	free(again);
	free(back_json);
	free(json);
	free(bytes);
	tailbox__run_destroy(back);
	tailbox__run_destroy(run);
	ck_assert_int_eq(tailbox__alloc_live(), 0);
}
END_TEST

START_TEST(large_run_comes_back)
{
	struct tailbox__run *run = sample_full(), *back;
	char id[64];

	for (unsigned i = 0; i < 50000; i++) {
		struct tailbox__run_request *r =
		        tailbox__list_add(&run->requests);
		*r = run->requests.items[0];
		snprintf(id, sizeof(id), "_items__id_-1767225600200-%u", i);
		r->id = tailbox__run_cstr(run, id);
	}
	size_t len, again_len;
	char *bytes = sample_native(run, &len);
	ck_assert_int_eq(load_bytes(bytes, len, &back, NULL), 0);
	char *again = sample_native(back, &again_len);
	ck_assert_uint_eq(again_len, len);
	ck_assert(!memcmp(again, bytes, len));
	free(again);
	free(bytes);
	tailbox__run_destroy(back);
	tailbox__run_destroy(run);
}
END_TEST

START_TEST(pipe_can_be_written_and_read)
{
	struct tailbox__run *run = sample_full(), *back;
	int fds[2];

	ck_assert_int_eq(pipe(fds), 0);
	ck_assert_int_eq(tailbox__artifact_write(run, fds[1]), 0);
	close(fds[1]);
	ck_assert_int_eq(tailbox__artifact_read(fds[0], &back, NULL), 0);
	close(fds[0]);
	ck_assert_uint_eq(back->requests.count, run->requests.count);
	tailbox__run_destroy(back);
	tailbox__run_destroy(run);
}
END_TEST

START_TEST(info_tells_without_loading)
{
	struct tailbox__run *run = sample_full();
	struct tailbox__artifact_info info, other;
	struct tailbox__error err = TAILBOX__ERROR_INIT;
	size_t len;
	char *bytes = sample_native(run, &len);
	int fd = sample_file(bytes, len);

	ck_assert_int_eq(tailbox__artifact_info(fd, &info, NULL), 0);
	ck_assert_uint_eq(info.file_bytes, len);
	ck_assert_uint_eq(info.requests, 2);
	ck_assert_uint_eq(info.started_ms, 1767225600000);
	ck_assert_uint_eq(info.finalized_ms, 1767225603000);
	ck_assert_int_eq(lseek(fd, 0, SEEK_CUR), 0);

	/* Another run has another checksum. */
	run->queues.items[0].dur_us++;
	free(bytes);
	bytes = sample_native(run, &len);
	int other_fd = sample_file(bytes, len);
	ck_assert_int_eq(tailbox__artifact_info(other_fd, &other, NULL), 0);
	ck_assert_uint_ne(info.checksum, other.checksum);

	ck_assert_int_eq(ftruncate(fd, (off_t)len - 1), 0);
	ck_assert_int_eq(tailbox__artifact_info(fd, &info, &err),
	                 -TAILBOX_ETRUNCATED);
	ck_assert_uint_eq(err.offset, len - 1);
	ck_assert_int_eq(ftruncate(fd, (off_t)len + 1), 0);
	ck_assert_int_eq(tailbox__artifact_info(fd, &info, NULL),
	                 -TAILBOX_EDAMAGED);
	ck_assert_int_eq(ftruncate(fd, 63), 0);
	ck_assert_int_eq(tailbox__artifact_info(fd, &info, NULL),
	                 -TAILBOX_ETRUNCATED);
	ck_assert_int_eq(tailbox__artifact_info(-1, &info, NULL), -EBADF);
	bytes[len - 1] ^= 1;
	ck_assert_int_eq(pwrite(other_fd, bytes, len, 0), (ssize_t)len);
	ck_assert_int_eq(tailbox__artifact_info(other_fd, &info, NULL),
	                 -TAILBOX_EDAMAGED);
	close(fd);
	close(other_fd);
	free(bytes);
	tailbox__run_destroy(run);
}
END_TEST

START_TEST(own_files_are_recognised)
{
	ck_assert_int_eq(tailbox__artifact_is_ours("TBXRUN\r\n....", 12), 1);
	ck_assert_int_eq(tailbox__artifact_is_ours("TBXRUN\n.....", 12), 0);
	ck_assert_int_eq(tailbox__artifact_is_ours("TBXRUN\r\n", 7), 0);
	ck_assert_int_eq(tailbox__artifact_is_ours("{\"schema", 8), 0);
}
END_TEST

START_TEST(read_survives_each_failing_allocation)
{
	struct tailbox__run *run = sample_full(), *back;
	struct tailbox__error err = TAILBOX__ERROR_INIT;
	long live = tailbox__alloc_live(), n;
	size_t len;
	char *bytes = sample_native(run, &len);
	int rc = -ENOMEM;

	for (n = 0; rc; n++) {
		err = (struct tailbox__error)TAILBOX__ERROR_INIT;
		back = (void *)&rc;
		int fd = sample_file(bytes, len);
		tailbox__alloc_fail_after(n);
		rc = tailbox__artifact_read(fd, &back, &err);
		tailbox__alloc_fail_after(-1);
		close(fd);
		if (!rc)
			break;
		ck_assert_int_eq(rc, -ENOMEM);
		ck_assert_int_eq(err.code, -ENOMEM);
		ck_assert_ptr_null(back);
		ck_assert_int_eq(tailbox__alloc_live(), live);
	}
	ck_assert_int_gt(n, 15);
	tailbox__run_destroy(back);
	free(bytes);
	tailbox__run_destroy(run);
}
END_TEST

START_TEST(unreadable_input_is_its_errno)
{
	struct tailbox__run *run;
	struct tailbox__error err = TAILBOX__ERROR_INIT;
	int fd = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	ck_assert_int_eq(tailbox__artifact_read(fd, &run, &err), -EISDIR);
	ck_assert_int_eq(err.code, -EISDIR);
	ck_assert_int_eq(tailbox__artifact_read(-1, &run, NULL), -EBADF);
	close(fd);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("artifact");
	TCase *t = tcase_create("artifact");

	tcase_set_timeout(t, 60);
	tcase_add_checked_fixture(t, NULL, sample_allow_all);
	tcase_add_loop_test(t, run_comes_back_as_it_was, 0,
	                    sizeof(samples) / sizeof(samples[0]));
	tcase_add_test(t, large_run_comes_back);
	tcase_add_test(t, pipe_can_be_written_and_read);
	tcase_add_test(t, info_tells_without_loading);
	tcase_add_test(t, own_files_are_recognised);
	tcase_add_test(t, read_survives_each_failing_allocation);
	tcase_add_test(t, unreadable_input_is_its_errno);
	suite_add_tcase(suite, t);
	return suite;
}

int main(void)
{
	return sample_run_suite(make_suite());
}

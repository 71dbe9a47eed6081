// SPDX-License-Identifier: Apache-2.0
/* A ring of jobs: filled at the head, taken by threads in order, collected at the tail. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "libartifact/digest.h"
#include "libartifact/pool.h"

enum { EMPTY, WAITING, RUNNING, FINISHED };

struct worker {
	pthread_t thread;
	bool started;
	struct art_pool *pool;
	struct art_encoder *encoder;
	struct art_digest *sha256;
};

struct art_pool {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool stop;
	size_t job_count;
	struct art_job *jobs;
	size_t head;   /* next to fill */
	size_t taken;  /* next for a thread */
	size_t tail;   /* next to collect */
	size_t worker_count;
	struct worker *workers;
};

static int encode_job(struct worker *w, struct art_job *job)
{
	const uint8_t *at = job->out;
	uint8_t digest[ART_SHA256_LEN];
	size_t i;
	int code = art_encoder_group(w->encoder, job->plain, job->lengths, job->count,
				     job->program_len > job->plain_len / 2, job->out, job->stored,
				     &job->err);

	for (i = 0; code == 0 && i < job->count; i++) {
		code = art_digest_once(w->sha256, at, job->stored[i].len, digest, &job->err);
		memcpy(job->digests[i], digest, ART_STORED_DIGEST);
		at += job->stored[i].len;
	}
	return code;
}

static void *work(void *arg)
{
	struct worker *w = arg;
	struct art_pool *p = w->pool;

	pthread_mutex_lock(&p->lock);
	for (;;) {
		struct art_job *job = &p->jobs[p->taken];

		if (p->stop)
			break;
		if (job->state != WAITING) {
			pthread_cond_wait(&p->changed, &p->lock);
			continue;
		}
		job->state = RUNNING;
		p->taken = (p->taken + 1) % p->job_count;
		pthread_mutex_unlock(&p->lock);
		job->code = encode_job(w, job);
		pthread_mutex_lock(&p->lock);
		job->state = FINISHED;
		pthread_cond_broadcast(&p->changed);
	}
	pthread_mutex_unlock(&p->lock);
	return NULL;
}

static int start_worker(struct art_pool *p, struct worker *w, int level, uint32_t prefix,
			struct art_err *err)
{
	int code;

	w->pool = p;
	code = art_encoder_new(&w->encoder, level, prefix, err);
	if (code == 0)
		code = art_sha256_new(&w->sha256, err);
	if (code < 0)
		return code;
	if (pthread_create(&w->thread, NULL, work, w) != 0)
		return art_fail(err, ART_E_FAILED, "cannot start a thread");
	w->started = true;
	return 0;
}

int art_pool_new(struct art_pool **out, unsigned int threads, int level, uint32_t prefix,
		 struct art_err *err)
{
	struct art_pool *p = calloc(1, sizeof(*p));
	size_t i;
	int code = 0;

	if (!p)
		return art_fail_memory(err);
	pthread_mutex_init(&p->lock, NULL);
	pthread_cond_init(&p->changed, NULL);
	p->job_count = (size_t)threads + 2;
	p->jobs = calloc(p->job_count, sizeof(*p->jobs));
	p->workers = calloc(threads, sizeof(*p->workers));
	p->worker_count = p->workers ? threads : 0;
	for (i = 0; p->jobs && i < p->job_count; i++) {
		p->jobs[i].plain = malloc(ART_GROUP_MAX);
		p->jobs[i].out = malloc(ART_GROUP_MAX);
		if (!p->jobs[i].plain || !p->jobs[i].out)
			code = art_fail_memory(err);
	}
	if (!p->jobs || !p->workers)
		code = art_fail_memory(err);
	for (i = 0; code == 0 && i < threads; i++)
		code = start_worker(p, &p->workers[i], level, prefix, err);
	if (code < 0) {
		art_pool_free(p);
		return code;
	}
	*out = p;
	return 0;
}

void art_pool_free(struct art_pool *p)
{
	size_t i;

	if (!p)
		return;
	pthread_mutex_lock(&p->lock);
	p->stop = true;
	pthread_cond_broadcast(&p->changed);
	pthread_mutex_unlock(&p->lock);
	for (i = 0; i < p->worker_count; i++) {
		if (p->workers[i].started)
			pthread_join(p->workers[i].thread, NULL);
		art_encoder_free(p->workers[i].encoder);
		art_digest_free(p->workers[i].sha256);
	}
	for (i = 0; p->jobs && i < p->job_count; i++) {
		free(p->jobs[i].plain);
		free(p->jobs[i].out);
	}
	pthread_cond_destroy(&p->changed);
	pthread_mutex_destroy(&p->lock);
	free(p->workers);
	free(p->jobs);
	free(p);
}

struct art_job *art_pool_get(struct art_pool *p)
{
	struct art_job *job = &p->jobs[p->head];
	bool empty;

	pthread_mutex_lock(&p->lock);
	empty = job->state == EMPTY;
	pthread_mutex_unlock(&p->lock);
	if (!empty)
		return NULL;
	job->plain_len = 0;
	job->program_len = 0;
	job->count = 0;
	return job;
}

void art_pool_submit(struct art_pool *p, struct art_job *job)
{
	pthread_mutex_lock(&p->lock);
	job->state = WAITING;
	p->head = (p->head + 1) % p->job_count;
	pthread_cond_broadcast(&p->changed);
	pthread_mutex_unlock(&p->lock);
}

struct art_job *art_pool_collect(struct art_pool *p)
{
	struct art_job *job = &p->jobs[p->tail];

	pthread_mutex_lock(&p->lock);
	while (job->state == WAITING || job->state == RUNNING)
		pthread_cond_wait(&p->changed, &p->lock);
	if (job->state != FINISHED)
		job = NULL;
	pthread_mutex_unlock(&p->lock);
	return job;
}

void art_pool_release(struct art_pool *p, struct art_job *job)
{
	pthread_mutex_lock(&p->lock);
	job->state = EMPTY;
	p->tail = (p->tail + 1) % p->job_count;
	pthread_mutex_unlock(&p->lock);
}

async def dask_setup(worker):
    # a preload on the command line, as this one, keeps dask from those that its configuration names
    import dask
    from distributed import preloading

    if len(worker.preloads) == 1:
        named = [dask.config.get("distributed.worker." + key) for key in ("preload", "preload-argv")]
        worker.loaded = preloading.process_preloads(worker, *named, file_dir=worker.local_directory)
        for preload in worker.loaded:
            await preload.start()

async def dask_teardown(worker):
    for preload in getattr(worker, "loaded", []):
        await preload.teardown()

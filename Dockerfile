# The web calculator, for a user without rights; a Hugging Face Space takes it as it is.
# docs/web.md says how.  The steps are run as such a user in tests/web/test_docker.py.
FROM python:3.12-slim
RUN useradd --create-home --uid 1000 costcalc
USER costcalc
WORKDIR /home/costcalc
COPY --chown=costcalc . source
RUN python3 -m venv venv
RUN venv/bin/pip install --no-cache-dir "./source[web]"
RUN rm -r source
EXPOSE 7860
CMD ["venv/bin/costcalc", "serve", "--host", "0.0.0.0", "--port", "7860"]

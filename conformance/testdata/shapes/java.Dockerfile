# syntax=docker/dockerfile:1
ARG JDK=21
FROM eclipse-temurin:${JDK}-jdk AS build
ENV JAVA_HOME=/opt/java/openjdk
ENV PATH=$JAVA_HOME/bin:$PATH MAVEN_CONFIG=$HOME/.m2 MAVEN_OPTS="-Xmx1g -Dmaven.repo.local=$HOME/.m2/repository"
WORKDIR $HOME/build
RUN --mount=type=cache,target=/root/.m2 --mount=type=bind,source=pom.xml,target=pom.xml \
    ./mvnw dependency:go-offline -DskipTests && cp $JAVA_HOME/lib/security/cacerts $JAVA_HOME/lib/security/jssecacerts
COPY ./src src/
RUN --mount=type=cache,target=/root/.m2 <<EOT
  set -e
  ./mvnw package -DskipTests
  mv target/$(./mvnw help:evaluate -Dexpression=project.artifactId -q -DforceStdout)-$VERSION.jar target/app.jar
EOT
FROM build AS extract
RUN java -Djarmode=layertools -jar target/app.jar extract --destination target/extracted
FROM eclipse-temurin:${JDK}-jre AS final
ARG UID=10001
RUN adduser --disabled-password --gecos "" --home "/nonexistent" --shell "/sbin/nologin" --no-create-home --uid "${UID}" appuser
USER appuser
COPY --from=extract build/target/extracted/dependencies/ build/target/extracted/application/ ./
EXPOSE 8080
HEALTHCHECK --interval=30s --start-interval=1s CMD curl -f http://$HOST/$HEALTH_PATH || exit 1
ENTRYPOINT exec $JAVA_HOME/bin/java $JAVA_OPTS org.springframework.boot.loader.launch.JarLauncher
